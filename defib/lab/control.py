"""A client for the lab's control API (:mod:`defib.lab.controlserver`), light enough for a command line."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from defib.errors import InputError, LabDown
from defib.lab.faults import Fault
from defib.lab.message import Message

_PATIENCE = 5.0


@dataclass(frozen=True)
class LabStatus:
    """A running lab: its network, the build it serves, what can be broken and what is."""

    net: str
    build: str
    targets: Mapping[str, tuple[str, ...]]
    faults: Mapping[str, Fault]


class ControlClient:
    """Talks to one lab; raises :class:`LabDown` where it does not answer, :class:`InputError` where it refuses."""

    def __init__(self, url: str) -> None:
        self.url = url

    def status(self) -> LabStatus:
        """What runs and what is broken."""
        return _status(self._ask("GET", "/status"))

    def break_(self, target: str, fault: Fault) -> LabStatus:
        """Put `fault` in force at `target`; in force when this returns."""
        body = {"target": target, "fault": fault.name, "options": dict(fault.options)}
        return _status(self._ask("POST", "/break", body))

    def heal(self, target: str | None = None) -> LabStatus:
        """Heal `target`, or everything."""
        return _status(self._ask("POST", "/heal", {"target": target} if target is not None else {}))

    def fingerprint(self) -> str:
        """All outside state that a recovery could change, as canonical JSON."""
        return json.dumps(self._ask("GET", "/fingerprint"), sort_keys=True, indent=1)

    def inbox(self) -> tuple[Message, ...]:
        """The alerts that arrived, oldest first."""
        return tuple(Message(**plain) for plain in self._ask("GET", "/inbox")["messages"])

    def stop(self) -> None:
        """Ask the lab to end; it ends soon after."""
        self._ask("POST", "/stop", {})

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_PATIENCE)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LabDown("the lab does not answer", where=self.url, seen=str(error), then="defib lab up") from error
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            parts = answer["error"]
            raise InputError(
                parts["error"],
                expected=parts.get("expected", ""),
                seen=parts.get("seen", ""),
                then=parts.get("next", ""),
            )
        return answer


def _status(answer: Mapping[str, Any]) -> LabStatus:
    faults = {
        target: Fault(plain["fault"], {name: value for name, value in plain.items() if name != "fault"})
        for target, plain in answer["faults"].items()
    }
    targets = {target: tuple(names) for target, names in answer["targets"].items()}
    return LabStatus(answer["net"], answer["build"], targets, faults)
