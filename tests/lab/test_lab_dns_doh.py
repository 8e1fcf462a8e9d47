"""DNS over HTTPS at a resolver of the lab, over real TLS."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dns.message
import httpx
import pytest
import trustme
from dns.rcode import Rcode

from defib.errors import InputError, PortTaken
from defib.lab.dns.authority import Authority
from defib.lab.dns.resolver import Resolver
from tests.lab.dns_stage import Stage, question, record, stage, values, zone

ADDRESS = "127.78.4.9"
MEDIA = {"Content-Type": "application/dns-message"}


@dataclass
class Doh:
    """A resolver with its HTTPS address, and a client that trusts it."""

    stage: Stage
    resolver: Resolver
    url: str
    client: httpx.Client


@pytest.fixture
def doh() -> Iterator[Doh]:
    """A resolver for one zone, over plain DNS and HTTPS."""
    authority_of_trust = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority_of_trust.issue_cert(ADDRESS).configure_cert(serving)
    trusting = ssl.create_default_context()
    authority_of_trust.configure_trust(trusting)
    with stage() as made, httpx.Client(verify=trusting, timeout=5) as client:
        authority = made.start(Authority("ns-1", "127.78.4.1", 0))
        authority.publish(zone("site.test.", record("www.site.test.", "A", "192.0.2.1", ttl=30)))
        stubs = {"site.test.": [(authority.address, authority.port)]}
        resolver = made.start(Resolver("resolver-1", ADDRESS, 0, stubs))
        port = made.run(resolver.serve_doh(ADDRESS, 0, serving))
        yield Doh(made, resolver, f"https://{ADDRESS}:{port}/dns-query", client)


def get(doh: Doh, wire: bytes) -> httpx.Response:
    """A question by GET, as RFC 8484 has it: base64url without padding."""
    text = base64.urlsafe_b64encode(wire).rstrip(b"=").decode()
    return doh.client.get(doh.url, params={"dns": text})


def post(doh: Doh, wire: bytes) -> httpx.Response:
    """A question by POST."""
    return doh.client.post(doh.url, content=wire, headers=MEDIA)


@pytest.mark.parametrize("ask", [get, post])
def test_an_answer_over_https(doh: Doh, ask: Callable[[Doh, bytes], httpx.Response]) -> None:
    """GET and POST give the answer under its id, and no HTTP cache may keep it longer than its TTL."""
    asked = question("www.site.test.")
    response = ask(doh, asked.to_wire())
    assert (response.status_code, response.headers["content-type"]) == (200, "application/dns-message")
    reply = dns.message.from_wire(response.content)
    assert asked.is_response(reply)
    assert values(reply) == ["192.0.2.1"]
    assert response.headers["cache-control"] == f"max-age={reply.answer[0].ttl}"


def test_https_goes_on_while_port_53_is_closed(doh: Doh) -> None:
    """D8: the way around a closed port 53."""
    doh.resolver.port53_closed = True
    assert values(dns.message.from_wire(post(doh, question("www.site.test.").to_wire()).content)) == ["192.0.2.1"]


def test_many_questions_on_one_connection(doh: Doh) -> None:
    """Connections are kept alive, also after a question that fails."""
    for name in ("www.site.test.", "example.org.", "www.site.test."):
        reply = dns.message.from_wire(post(doh, question(name).to_wire()).content)
        assert reply.rcode() == (Rcode.NOERROR if name == "www.site.test." else Rcode.REFUSED)


def test_a_silent_resolver_hangs_and_a_failing_one_says_so(doh: Doh) -> None:
    """The faults reach HTTPS, and end when healed."""
    wire = question("www.site.test.").to_wire()
    doh.resolver.servfail = True
    assert dns.message.from_wire(post(doh, wire).content).rcode() == Rcode.SERVFAIL
    doh.resolver.servfail = False
    doh.resolver.silent = True
    with pytest.raises(httpx.ReadTimeout):
        doh.client.post(doh.url, content=wire, headers=MEDIA, timeout=0.3)
    doh.resolver.silent = False
    assert post(doh, wire).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "status"),
    [
        ("POST", "/elsewhere", MEDIA, b"x" * 12, 404),
        ("POST", "/dns-query", {"Content-Type": "text/plain"}, b"x" * 12, 415),
        ("POST", "/dns-query", MEDIA, b"junk", 400),
        ("POST", "/dns-query", MEDIA, b"x" * 70_000, 413),
        ("PUT", "/dns-query", MEDIA, b"x" * 12, 405),
        ("GET", "/dns-query", {}, b"", 400),
        ("GET", "/dns-query?dns=!!!", {}, b"", 400),
        ("GET", "/dns-query?dns=AAAA", {}, b"", 400),
        ("GET", "/dns-query", {"X-Long": "x" * 70_000}, b"", 431),
        ("POST", "/dns-query", {**MEDIA, "Transfer-Encoding": "chunked"}, b"", 411),
    ],
)
def test_bad_requests_get_their_status(
    doh: Doh, method: str, path: str, headers: dict[str, str], content: bytes, status: int
) -> None:
    """Each mistake has its own HTTP status, and the next request is served."""
    url = doh.url.removesuffix("/dns-query") + path
    assert doh.client.request(method, url, headers=headers, content=content).status_code == status
    assert post(doh, question("www.site.test.").to_wire()).status_code == 200


def test_a_taken_port_is_named(doh: Doh) -> None:
    """Address, port and the next command are in the error."""
    port = httpx.URL(doh.url).port
    assert port is not None
    with pytest.raises(PortTaken, match=f"{port}") as caught:
        doh.stage.run(doh.resolver.serve_doh(ADDRESS, port, None))
    assert "defib lab down" in caught.value.then


def test_plain_answer_function(doh: Doh) -> None:
    """Edges of others can hand over messages directly; what is no message is refused."""
    wire = question("www.site.test.").to_wire()
    assert values(dns.message.from_wire(doh.stage.run(doh.resolver.answer(wire)))) == ["192.0.2.1"]
    with pytest.raises(InputError):
        doh.stage.run(doh.resolver.answer(b"junk"))
