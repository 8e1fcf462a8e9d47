"""AWS's XML, in and out, without its namespaces."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.sax.saxutils import escape

from defib.lab.web import Response

ROUTE53 = "https://route53.amazonaws.com/doc/2013-04-01/"
CLOUDFRONT = "http://cloudfront.amazonaws.com/doc/2020-05-31/"


class AwsError(Exception):
    """A refusal as AWS words it: HTTP status, code and message, and what S3 tells beside it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: tuple[tuple[str, str], ...] = (),
        details: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        self.details = details


def parse(body: bytes) -> Element:
    """The root element with bare tag names; MalformedInput where it is not XML."""
    try:
        root = fromstring(body)  # noqa: S314 - expat 2.4 and newer bound entity expansion, and clients are ours
    except ParseError as error:
        raise AwsError(400, "MalformedInput", f"Could not parse XML: {error}") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def text(element: Element, path: str) -> str:
    """The text at `path` below `element`, "" where there is none."""
    return (element.findtext(path) or "").strip()


def element(name: str, *children: str) -> str:
    """One element around children that are XML already."""
    return f"<{name}>{''.join(children)}</{name}>"


def leaf(name: str, value: str) -> str:
    """One element around plain text."""
    return f"<{name}>{escape(value)}</{name}>"


def answer(
    root: str, namespace: str, *children: str, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    """A whole XML answer with a request id, as AWS sends it."""
    body = f'<?xml version="1.0"?>\n<{root} xmlns="{namespace}">{"".join(children)}</{root}>'
    return Response(status, (*_headers(), *headers), body.encode())


def refuse(error: AwsError, namespace: str) -> Response:
    """The error as an answer; S3's form where there is no namespace, the common form of REST services otherwise."""
    kind = "Sender" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"
    request_id = secrets.token_hex(16)
    if not namespace:
        told = (("Code", error.code), ("Message", error.message), *error.details, ("RequestId", request_id))
        parts = "".join(leaf(name, value) for name, value in told)
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{parts}</Error>'
    else:
        parts = leaf("Type", kind) + leaf("Code", error.code) + leaf("Message", error.message)
        body = (
            f'<?xml version="1.0"?>\n<ErrorResponse xmlns="{namespace}">'
            f"<Error>{parts}</Error>{leaf('RequestId', request_id)}</ErrorResponse>"
        )
    return Response(error.status, (*_headers(request_id), *error.headers), body.encode())


def refuse_as_s3control(error: AwsError) -> Response:
    """The error in the form of S3's control API."""
    told = leaf("Code", error.code) + leaf("Message", error.message)
    body = element("ErrorResponse", element("Error", told), leaf("RequestId", secrets.token_hex(16)))
    return Response(error.status, (*_headers(), *error.headers), f'<?xml version="1.0"?>\n{body}'.encode())


def _headers(request_id: str = "") -> tuple[tuple[str, str], ...]:
    return ("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id or secrets.token_hex(16))
