"""CloudFront's response headers policies, which moto does not have.

Codes and shapes: https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateResponseHeadersPolicy.html and its
neighbours.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from xml.etree.ElementTree import Element, tostring

from defib.lab.strict import xml
from defib.lab.strict.headers_served import served_headers
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response

_PATH = re.compile(r"/2020-05-31/response-headers-policy(?:/(?P<id>[^/]+)(?P<config>/config)?)?$")
_DISTRIBUTIONS = re.compile(r"/2020-05-31/distribution(?:/[^/]+/config)?$")
_LONGEST_PAGE = 100


@dataclass(frozen=True)
class _Policy:
    name: str
    config: Element
    etag: str


class HeadersPolicies:
    """The policies by id; `in_use` gives the ids of those that distributions name."""

    def __init__(self, in_use: Callable[[], frozenset[str]]) -> None:
        self._held: dict[str, _Policy] = {}
        self._in_use = in_use

    def add(self, policy_id: str, name: str, headers: Mapping[str, str]) -> None:
        """A policy under an id of our choice, which adds `headers` as they stand."""
        custom = "".join(
            xml.element(
                "ResponseHeadersPolicyCustomHeader",
                xml.leaf("Header", header),
                xml.leaf("Value", value),
                xml.leaf("Override", "true"),
            )
            for header, value in headers.items()
        )
        parts = (xml.leaf("Name", name), xml.element("CustomHeadersConfig", _listed(len(headers), custom)))
        self._put(policy_id, xml.parse(xml.element("ResponseHeadersPolicyConfig", *parts).encode()))

    def headers(self, policy_id: str) -> tuple[tuple[str, str], ...]:
        """What edges add to answers under the policy; nothing where there is none."""
        held = self._held.get(policy_id)
        return tuple(served_headers(held.config)) if held is not None else ()

    def state(self) -> dict[str, list[list[str]]]:
        """The headers of every policy, by its name, in the shape of JSON."""
        return {held.name: [list(pair) for pair in self.headers(each)] for each, held in sorted(self._held.items())}

    def answer(self, request: Request) -> Response | None:
        """The answer to a call about policies; None for all others. A distribution must not name one that is not there."""
        match = _PATH.match(request.path)
        if match is None:
            self._check_named(request)
            return None
        policy_id = match["id"]
        if policy_id is None:
            return self._create(request) if request.method == "POST" else self._list(request)
        if policy_id not in self._held:
            raise AwsError(404, "NoSuchResponseHeadersPolicy", "The response headers policy does not exist.")
        if request.method == "GET":
            return self._told(policy_id, config_only=bool(match["config"]))
        self._check_version(request, policy_id)
        return self._update(request, policy_id) if request.method == "PUT" else self._delete(policy_id)

    def _create(self, request: Request) -> Response:
        config = self._checked(request, "")
        policy_id = str(uuid.uuid4())
        self._put(policy_id, config)
        return self._told(policy_id, status=HTTPStatus.CREATED)

    def _update(self, request: Request, policy_id: str) -> Response:
        self._put(policy_id, self._checked(request, policy_id))
        return self._told(policy_id)

    def _delete(self, policy_id: str) -> Response:
        if policy_id in self._in_use():
            message = "Cannot delete the response headers policy because it is attached to one or more cache behaviors."
            raise AwsError(409, "ResponseHeadersPolicyInUse", message)
        del self._held[policy_id]
        return Response(204)

    def _list(self, request: Request) -> Response:
        """Page by page, in the order of ids; ours are all of type custom."""
        wanted = request.query.get("Type", "custom")
        after, size = request.query.get("Marker", ""), int(request.query.get("MaxItems", _LONGEST_PAGE))
        ids = [each for each in sorted(self._held) if each > after] if wanted == "custom" else []
        page, rest = ids[:size], ids[size:]
        summaries = "".join(
            xml.element("ResponseHeadersPolicySummary", xml.leaf("Type", "custom"), self._spelt(each)) for each in page
        )
        marker = xml.leaf("NextMarker", page[-1]) if rest else ""
        return xml.answer(
            "ResponseHeadersPolicyList",
            xml.CLOUDFRONT,
            marker,
            xml.leaf("MaxItems", str(size)),
            _listed(len(page), summaries),
        )

    def _told(self, policy_id: str, *, config_only: bool = False, status: int = HTTPStatus.OK) -> Response:
        held = self._held[policy_id]
        headers = (("ETag", held.etag),)
        if config_only:
            children = [_as_text(each) for each in held.config]
            return xml.answer("ResponseHeadersPolicyConfig", xml.CLOUDFRONT, *children, headers=headers)
        inner = self._spelt(policy_id).removeprefix("<ResponseHeadersPolicy>").removesuffix("</ResponseHeadersPolicy>")
        return xml.answer("ResponseHeadersPolicy", xml.CLOUDFRONT, inner, status=status, headers=headers)

    def _spelt(self, policy_id: str) -> str:
        changed = xml.leaf("LastModifiedTime", "2026-01-01T00:00:00Z")
        return xml.element(
            "ResponseHeadersPolicy", xml.leaf("Id", policy_id), changed, _as_text(self._held[policy_id].config)
        )

    def _put(self, policy_id: str, config: Element) -> None:
        etag = "E" + secrets.token_hex(6).upper()
        self._held[policy_id] = _Policy(xml.text(config, "Name"), config, etag)

    def _checked(self, request: Request, policy_id: str) -> Element:
        config = xml.parse(request.body)
        name = xml.text(config, "Name")
        if any(held.name == name for other, held in self._held.items() if other != policy_id):
            message = "A response headers policy with this name already exists in this AWS account."
            raise AwsError(409, "ResponseHeadersPolicyAlreadyExists", message)
        for custom in config.iterfind(".//ResponseHeadersPolicyCustomHeader/Header"):
            if (custom.text or "").lower() in _SECURITY:
                message = f"The parameter CustomHeadersConfig contains {custom.text} that is a security header."
                raise AwsError(400, "InvalidArgument", message)
        return config

    def _check_version(self, request: Request, policy_id: str) -> None:
        given = request.headers.get("if-match", "").strip('"')
        if not given:
            raise AwsError(400, "InvalidIfMatchVersion", "The If-Match version is missing or not valid.")
        if given != self._held[policy_id].etag:
            raise AwsError(412, "PreconditionFailed", "The precondition in one or more of the request fields is false.")

    def _check_named(self, request: Request) -> None:
        if request.method not in ("POST", "PUT") or not _DISTRIBUTIONS.match(request.path):
            return
        for each in xml.parse(request.body).iter("ResponseHeadersPolicyId"):
            if each.text and each.text not in self._held:
                raise AwsError(404, "NoSuchResponseHeadersPolicy", "The response headers policy does not exist.")


_SECURITY = {
    "strict-transport-security",
    "x-frame-options",
    "x-content-type-options",
    "x-xss-protection",
    "referrer-policy",
    "content-security-policy",
}


def _as_text(element: Element) -> str:
    return tostring(element, encoding="unicode")


def _listed(quantity: int, items: str) -> str:
    return xml.leaf("Quantity", str(quantity)) + (xml.element("Items", items) if quantity else "")
