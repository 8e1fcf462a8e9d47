"""A mailbox behind SMTP (RFC 5321): enough of it for smtplib, and it delivers nothing anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

_LONGEST = 1024 * 1024


@dataclass(frozen=True)
class Mail:
    """One message as it came in."""

    sender: str
    to: tuple[str, ...]
    subject: str
    text: str


class MailServer:
    """Takes mail for anybody at one address and gives it to `deliver`; its `fault` is "", hang or 500."""

    def __init__(self, address: str, port: int, deliver: Callable[[Mail], None]) -> None:
        self.address, self.port = address, port
        self.fault = ""
        self._deliver = deliver
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen; OSError where the address is taken. Idempotent."""
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, self.address, self.port, limit=_LONGEST)
            self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the listener and every connection. Idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.fault == "hang":
                await reader.read()  # until the client gives up
                return
            await _Dialogue(reader, writer, self._deliver, broken=self.fault == "500").hold()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # clients may leave at any time
        finally:
            self._writers.discard(writer)
            writer.transport.abort()


class _Dialogue:
    """One connection: an envelope, a message, and again."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        deliver: Callable[[Mail], None],
        *,
        broken: bool,
    ) -> None:
        self._reader, self._writer, self._deliver, self._broken = reader, writer, deliver, broken
        self._sender = ""
        self._to: list[str] = []

    async def hold(self) -> None:
        """Answer commands until QUIT or the end of the connection."""
        await self._say("220 mail.lab.test ESMTP")
        while line := await self._reader.readline():
            words = line.decode("utf-8", "replace").strip()
            verb = words.split(" ")[0].upper()
            if verb == "QUIT":
                await self._say("221 2.0.0 bye")
                return
            await self._say(await self._answer(verb, words))

    async def _answer(self, verb: str, words: str) -> str:  # noqa: PLR0911 - one answer a command
        match verb:
            case "EHLO":
                return "250-mail.lab.test\r\n250-8BITMIME\r\n250 SMTPUTF8"
            case "HELO" | "NOOP":
                return "250 2.0.0 ok"
            case "RSET":
                self._sender, self._to = "", []
                return "250 2.0.0 ok"
            case "MAIL" if self._broken:
                return "451 4.3.0 local error in processing"
            case "MAIL":
                self._sender, self._to = _address(words), []
                return "250 2.1.0 ok"
            case "RCPT" if not self._sender:
                return "503 5.5.1 MAIL first"
            case "RCPT":
                self._to.append(_address(words))
                return "250 2.1.5 ok"
            case "DATA" if not self._to:
                return "503 5.5.1 RCPT first"
            case "DATA":
                return await self._take()
        return f"502 5.5.2 no command {verb[:20]!r}"

    async def _take(self) -> str:
        await self._say("354 end with a line that holds a dot")
        lines = []
        while (line := await self._reader.readline()) not in {b".\r\n", b""}:
            lines.append(line[1:] if line.startswith(b".") else line)
        message = message_from_bytes(b"".join(lines), policy=policy.default)
        self._deliver(Mail(self._sender, tuple(self._to), str(message["Subject"] or ""), _text(message)))
        self._sender, self._to = "", []
        return "250 2.0.0 taken"

    async def _say(self, words: str) -> None:
        self._writer.write(words.encode() + b"\r\n")
        await self._writer.drain()


def _address(words: str) -> str:
    return words.partition("<")[2].partition(">")[0]


def _text(message: EmailMessage) -> str:
    body = message.get_body(("plain", "html"))
    with suppress(LookupError):  # a charset that nobody knows
        return str(body.get_content()).replace("\r\n", "\n").strip() if body is not None else ""
    return ""
