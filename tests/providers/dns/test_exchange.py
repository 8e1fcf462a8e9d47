"""An answer is believed only if it is signed as it must be, and every refusal says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import dns.message
import dns.rcode
import dns.update
import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Conflict, Denied, NotFound, ProviderError, Unavailable
from defib.lab.background import BackgroundLoop
from defib.lab.dns.endpoint import Endpoint, Via
from defib.lab.dns.messages import RequestReader, TsigKey, reply_to
from defib.providers.dns.exchange import NameServer, exchange
from defib.sites.vendors import Server
from tests.providers.dns.test_rfc2136 import KEY, SECRET

READER = RequestReader([TsigKey("defib", SECRET)])


@contextmanager
def answering(answer: Callable[[bytes], bytes | None]) -> Iterator[NameServer]:
    """A server whose every reply is what `answer` makes of the request."""

    async def answerer(wire: bytes, _: Via) -> bytes | None:
        return answer(wire)

    with BackgroundLoop() as loop:
        endpoint = Endpoint("127.0.0.1", 0, answerer)
        loop.run(endpoint.start())
        try:
            yield NameServer(Server(name="ns", address="127.0.0.1", port=endpoint.port), KEY)
        finally:
            loop.run(endpoint.stop())


def ask(server: NameServer) -> dns.message.Message:
    """Send one signed update."""
    within = Deadline.after(SystemClock(), timedelta(seconds=5))
    return exchange(server, dns.update.UpdateMessage("contract.test."), within, "UPDATE")


def code(rcode: dns.rcode.Rcode, *, signed: bool = True) -> Callable[[bytes], bytes]:
    """A server that always says `rcode`, with or without a signature."""

    def answer(wire: bytes) -> bytes:
        request = READER.read(wire) if signed else dns.message.from_wire(wire, keyring=False)
        return reply_to(request, rcode).to_wire()

    return answer


@pytest.mark.parametrize(
    ("rcode", "expected"),
    [
        (dns.rcode.NXRRSET, Conflict),
        (dns.rcode.YXRRSET, Conflict),
        (dns.rcode.YXDOMAIN, Conflict),
        (dns.rcode.REFUSED, Denied),
        (dns.rcode.NOTAUTH, NotFound),
        (dns.rcode.NOTZONE, NotFound),
        (dns.rcode.NOTIMP, NotFound),
        (dns.rcode.FORMERR, NotFound),
        (dns.rcode.SERVFAIL, Unavailable),
    ],
)
def test_code_decides(rcode: dns.rcode.Rcode, expected: type[ProviderError]) -> None:
    """Each response code becomes the error that says whether to wait, to stop or to look again."""
    with answering(code(rcode)) as server, pytest.raises(ProviderError) as caught:
        ask(server)
    assert type(caught.value) is expected
    assert caught.value.seen == dns.rcode.to_text(rcode)


def test_signed_success_is_believed() -> None:
    """The control: a signed NOERROR is taken."""
    with answering(code(dns.rcode.NOERROR)) as server:
        assert ask(server).rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXRRSET])
def test_unsigned_answer_proves_nothing(rcode: dns.rcode.Rcode) -> None:
    """C11: whoever is in between can say NOERROR; without the key's signature it is no success, and no conflict."""
    with answering(code(rcode, signed=False)) as server, pytest.raises(Unavailable) as caught:
        ask(server)
    assert "TSIG" in caught.value.seen


def test_wrong_time_names_the_clock() -> None:
    """S17: BADTIME says that clocks differ, and shows ours."""

    def answer(wire: bytes) -> bytes:
        reply = dns.message.make_response(READER.read(wire), tsig_error=dns.rcode.BADTIME)
        reply.set_rcode(dns.rcode.NOTAUTH)
        return reply.to_wire()

    with answering(answer) as server, pytest.raises(Denied) as caught:
        ask(server)
    assert "clock" in caught.value.what
    assert "BADTIME" in caught.value.seen


@pytest.mark.parametrize("garbage", [b"", b"\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_garbage_is_unavailable(garbage: bytes) -> None:
    """What is no DNS message may pass; it is no answer."""
    with answering(lambda _: garbage) as server, pytest.raises(Unavailable):
        ask(server)


def test_answer_to_another_question_is_unavailable() -> None:
    """An answer under another id is nobody's."""

    def answer(wire: bytes) -> bytes:
        request = READER.read(wire)
        request.id ^= 1
        return reply_to(request).to_wire()

    with answering(answer) as server, pytest.raises(ProviderError):
        ask(server)
