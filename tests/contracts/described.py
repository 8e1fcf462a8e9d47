"""Checks what goes over the wire against a vendor's own OpenAPI description, exchange by exchange."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from defib.lab.background import BackgroundLoop
from defib.lab.web import BadMessage, Request, Response, WebServer, fetch

CONTRACTS = Path(__file__).parents[2].parent / "shared" / "contracts"
_PATIENCE = 20.0


@dataclass
class Recorder:
    """Passes requests on to the server at `behind` and keeps every exchange that ended."""

    behind: str
    url: str = ""
    exchanges: list[tuple[Request, Response]] = field(default_factory=list)

    async def pass_on(self, request: Request) -> Response | None:
        """Ask the server behind; None, which resets the connection, where it gave no answer."""
        parts = urlsplit(self.behind)
        try:
            answer = await fetch(parts.hostname or "", parts.port or 80, _plain(request), None, name="", within=_PATIENCE)
        except (OSError, TimeoutError, BadMessage):
            return None
        self.exchanges.append((request, answer))
        return answer


@contextmanager
def recording(endpoint: str) -> Iterator[Recorder]:
    """A recorder in front of `endpoint`, with its own path kept."""
    with BackgroundLoop() as loop:
        recorder = Recorder(endpoint)
        server = WebServer("127.0.0.1", 0, recorder.pass_on)
        loop.run(server.start())
        recorder.url = server.url + urlsplit(endpoint).path
        try:
            yield recorder
        finally:
            loop.run(server.stop())


class Described:
    """A vendor's description of its API at `server`; `undescribed` are paths that it leaves out, or tells of in words.

    `errors_in` is the key under which an error's message stands, "" for the top. A status that an operation does not name
    is compared with that shape alone, and a redirect that it does not name with nothing.
    """

    def __init__(self, file: str, server: str, *, undescribed: str, errors_in: str) -> None:
        self.path = CONTRACTS / file
        self._server = server
        self._undescribed = re.compile(undescribed)
        self._errors_in = errors_in

    @cached_property
    def _plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = json.loads(self.path.read_text())
        # Whether the token is asked for is tested by itself; openapi-core warns of schemes that it does not know.
        plain.pop("security", None)
        plain["servers"] = [{"url": self._server}]
        for operations in plain["paths"].values():
            for operation in operations.values():
                if isinstance(operation, dict):
                    operation.pop("security", None)
        _allow_null(plain)
        _spell_object(plain)
        _read_choices(plain)
        return plain

    @cached_property
    def _api(self) -> OpenAPI:
        # Strict loading refuses such files as they were published.
        return OpenAPI.from_dict(self._plain, config=Config(spec_validator_cls=None))

    def check(self, exchanges: Sequence[tuple[Request, Response]]) -> int:
        """Raise where an exchange does not fit; how many were compared with the description itself."""
        return sum(self._check(request, answer) for request, answer in exchanges)

    def _check(self, request: Request, answer: Response) -> bool:
        if self._undescribed.search(request.path):
            return False
        asked = MockRequest(
            self._server,
            request.method.lower(),
            request.path,
            args=dict(parse_qsl(urlsplit(request.target).query)),
            headers=dict(request.headers),
            data=request.body or None,
            content_type="application/json",
        )
        self._api.validate_request(asked)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            self._check_error(answer)
            return str(answer.status) in self._statuses(request)
        if answer.header("Location") and str(answer.status) not in self._statuses(request):
            return False
        told = MockResponse(answer.body, answer.status, headers=dict(answer.headers), content_type="application/json")
        if answer.body:
            self._api.validate_response(asked, told)
        return str(answer.status) in self._statuses(request)

    def _check_error(self, answer: Response) -> None:
        told = json.loads(answer.body)
        error = told[self._errors_in] if self._errors_in else told
        assert isinstance(error["message"], str), told

    def _statuses(self, request: Request) -> set[str]:
        """The statuses that the description names for the operation of `request`."""
        base, method = urlsplit(self._server).path, request.method.lower()
        for template, operations in self._plain["paths"].items():
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
            if re.fullmatch(base + pattern, request.path) and method in operations:
                return set(operations[method]["responses"])
        return set()


VERCEL = Described("vercel.json", "https://api.vercel.com", undescribed=r"^/v4/now/certs$", errors_in="error")
NETLIFY = Described("netlify.json", "https://api.netlify.com/api/v1", undescribed=r"/ssl/renew$", errors_in="")
GITHUB = Described(
    "github.json",
    "https://github.pulse-trading.test/api/v3",
    undescribed=r"/(keys|actions/secrets|actions/variables|rulesets/\d+)$|/repositories/",
    errors_in="",
)
GITLAB = Described(
    "gitlab.json", "https://gitlab.com", undescribed=r"/projects/[^/]+/(deploy_keys|variables|hooks)$", errors_in=""
)
STATUSPAGE = Described("statuspage.json", "https://api.statuspage.io/v1", undescribed=r"^$", errors_in="")
UPTIMEROBOT = Described(
    "uptimerobot.json", "https://api.uptimerobot.com/v3", undescribed=r"/stats/response-time$", errors_in=""
)


@contextmanager
def compared(endpoint: str, described: Described) -> Iterator[str]:
    """The address to use in place of `endpoint`: what goes over it is compared with the description, where that is there."""
    with recording(endpoint) as recorder:
        yield recorder.url
        if described.path.exists():
            described.check(recorder.exchanges)


def _allow_null(tree: Any) -> None:
    """Let a nullable enumeration take null, as its vendor means it; OpenAPI 3.0.3 asks for a null among the values."""
    for each in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        _allow_null(each)
    if isinstance(tree, dict) and tree.get("nullable") is True and None not in tree.get("enum", [None]):
        tree["enum"].append(None)


def _spell_object(tree: Any) -> None:
    """Read the type ``Object``, as Statuspage publishes it for metadata, as what it means."""
    for each in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        _spell_object(each)
    if isinstance(tree, dict) and tree.get("type") == "Object":
        tree["type"] = "object"


def _read_choices(tree: Any) -> None:
    """Read choices as UptimeRobot means them: what describes nothing is none, null where it says so."""
    for each in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        _read_choices(each)
    if isinstance(tree, dict) and isinstance(tree.get("oneOf"), list):
        tree["oneOf"] = [choice for choice in tree["oneOf"] if choice != {}]
        if tree.get("nullable") is True:
            tree["oneOf"].append({"nullable": True, "enum": [None]})


def _plain(request: Request) -> Request:
    """The request without what belongs to its connection."""
    dropped = {"connection", "host", "accept-encoding", "transfer-encoding"}
    kept = {name: value for name, value in request.headers.items() if name not in dropped}
    return Request(request.method, request.target, {"host": "api.vendor.test", **kept}, request.body)
