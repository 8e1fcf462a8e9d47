"""Where the lab's alerts arrive: a chat, a webhook, an SMS gateway and a mailbox, and one list of all that came in.

=====  ==========================  ======================================================================
POST   /hooks/TOKEN                a chat's incoming webhook, as Slack and Mattermost take it
POST   /webhook                    JSON, with HTTP basic authentication
POST   /jsonrpc/sms                an SMS gateway's JSON-RPC, as SMSEagle speaks it
GET    /messages                   everything that arrived, oldest first
SMTP   port 2525                   mail to anybody
=====  ==========================  ======================================================================
"""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import asdict
from typing import Any

from defib.clock import Clock, SystemClock
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.faulty import FaultyServer
from defib.lab.mail import Mail, MailServer
from defib.lab.message import Message
from defib.lab.web import Request, Response

USER = "defib"
PHONE = "15555550100"
MAILBOX = "on-call@pulse-trading.test"
_JSON = (("Content-Type", "application/json"),)
_MOST_KEPT = 1000


class Inbox:
    """All sinks of the lab behind one token; `set_fault` breaks them together."""

    def __init__(self, address: str, port: int, smtp_port: int, token: str, clock: Clock | None = None) -> None:
        self._token = token
        self._clock = clock or SystemClock()
        self._messages: list[Message] = []
        self._count = 0
        broken = Response(500, _JSON, b'{"error": "internal error"}')
        self.http = FaultyServer(address, port, self._answer, broken)
        self.mail = MailServer(address, smtp_port, self._take_mail)

    @property
    def switch(self) -> FaultSwitch:
        """The fault in force."""
        return self.http.switch

    @property
    def messages(self) -> tuple[Message, ...]:
        """Everything that arrived, oldest first."""
        return tuple(self._messages)

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each sink as Apprise reads it."""
        at = f"{self.http.web.address}:{self.http.web.port}"
        mail = f"{self.mail.address}:{self.mail.port}"
        return {
            "chat": f"mmost://{at}/{self._token}",
            "webhook": f"json://{USER}:{self._token}@{at}/webhook",
            "sms": f"smseagle://{self._token}@{at}/{PHONE}",
            "mail": f"mailto://{mail}?from=defib@pulse-trading.test&to={MAILBOX}&format=text",
        }

    async def start(self) -> None:
        """Listen on both ports."""
        await self.http.start()
        await self.mail.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self.mail.stop()
        await self.http.stop()

    async def set_fault(self, fault: Fault | None) -> None:
        """Put `fault` in force everywhere in place of any other; None heals. The list of messages goes on."""
        name = fault.name if fault is not None else ""
        self.mail.fault = name
        if name == "refuse":
            await self.mail.stop()
        else:
            await self.mail.start()
        await self.http.set_fault(fault)

    async def _answer(self, request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/messages":
                return _json(200, {"messages": [asdict(message) for message in self._messages]})
            case "POST", "/webhook":
                return self._webhook(request)
            case "POST", "/jsonrpc/sms":
                return self._sms(request)
            case "POST", path if path.startswith("/hooks/"):
                return self._chat(request, path.removeprefix("/hooks/"))
        return _json(404, {"error": "no such address"})

    def _chat(self, request: Request, token: str) -> Response:
        if not self._right(token):
            return Response(403, (("Content-Type", "text/plain"),), b"invalid_token")
        body = _body(request)
        if not isinstance(body.get("text"), str):
            return Response(400, (("Content-Type", "text/plain"),), b"invalid_payload")
        self._keep("chat", "", body["text"], str(body.get("channel", "")))
        return Response(200, (("Content-Type", "text/plain"),), b"ok")

    def _webhook(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        expected = base64.b64encode(f"{USER}:{self._token}".encode()).decode()
        if not hmac.compare_digest(given.encode(), expected.encode()):
            return _json(401, {"error": "who are you?"})
        body = _body(request)
        self._keep("webhook", str(body.get("title", "")), str(body.get("message", "")), severity=str(body.get("type", "")))
        return _json(200, {"taken": True})

    def _sms(self, request: Request) -> Response:
        params = _body(request).get("params", {})
        if not isinstance(params, dict) or not self._right(str(params.get("access_token", ""))):
            return _json(200, {"result": "Invalid access token"})
        self._keep("sms", "", str(params.get("message", "")), str(params.get("to", "")))
        return _json(200, {"result": [{"message_id": self._count, "status": "ok"}]})

    def _take_mail(self, mail: Mail) -> None:
        self._keep("mail", mail.subject, mail.text, ", ".join(mail.to))

    def _keep(self, via: str, title: str, text: str, to: str = "", severity: str = "") -> None:
        self._count += 1
        self._messages.append(Message(self._count, self._clock.now().isoformat(), via, title, text, to, severity))
        del self._messages[:-_MOST_KEPT]

    def _right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError:
        return {}  # refused by whoever asks for its parts
    return body if isinstance(body, dict) else {}


def _json(status: int, plain: object) -> Response:
    return Response(status, _JSON, json.dumps(plain).encode())
