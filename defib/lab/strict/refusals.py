"""Why AWS did not do it, said in the way in which it is asked: XML of three forms, JSON, CBOR."""

from __future__ import annotations

import json

from defib.lab.strict import xml
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response

_NAMESPACES = {
    "route53": xml.ROUTE53,
    "cloudfront": xml.CLOUDFRONT,
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "monitoring": "http://monitoring.amazonaws.com/doc/2010-08-01/",
}
_CBOR = "rpc-v2-cbor"
_SHORT = 24
"""Lengths below this stand in the first byte of a CBOR item: https://www.rfc-editor.org/rfc/rfc8949#section-3."""


def refuse(error: AwsError, service: str, request: Request) -> Response:
    """The error as the client of that service reads it, which may choose between protocols."""
    plain = {"__type": error.code, "message": error.message}
    if request.headers.get("smithy-protocol") == _CBOR:
        kind = (("Content-Type", "application/cbor"), ("smithy-protocol", _CBOR))
        return Response(error.status, (*kind, *error.headers), _cbor(plain))
    if "x-amz-target" in request.headers:
        kind_of_json = ("Content-Type", request.headers.get("content-type", "application/x-amz-json-1.1"))
        return Response(error.status, (kind_of_json, *error.headers), json.dumps(plain).encode())
    if service == "s3control":
        return xml.refuse_as_s3control(error)
    return xml.refuse(error, _NAMESPACES.get(service, ""))


def _cbor(texts: dict[str, str]) -> bytes:
    """A map of a few texts."""
    body = bytes((0xA0 | len(texts),))
    for text in (item for pair in texts.items() for item in pair):
        encoded = text.encode()
        head = bytes((0x60 | len(encoded),)) if len(encoded) < _SHORT else b"\x79" + len(encoded).to_bytes(2, "big")
        body += head + encoded
    return body
