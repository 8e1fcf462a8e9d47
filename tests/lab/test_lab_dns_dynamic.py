"""The primary that takes RFC 2136 updates, asked and updated with real packets."""

from __future__ import annotations

import base64
import socket
import struct
from collections.abc import Callable, Iterator
from datetime import timedelta

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.renderer
import dns.tsig
import dns.update
import pytest
from dns.message import Message
from dns.rcode import Rcode
from dns.update import UpdateMessage

from defib.errors import InputError
from defib.lab.dns.authority import Authority
from defib.lab.dns.dynamic import DynamicPrimary
from defib.lab.dns.messages import TsigKey
from tests.lab.dns_stage import CLOCK, Stage, ask, record, stage, values, wait_for_values, zone

ADDRESS = "127.78.2.1"
SECRET = base64.b64encode(b"thirty-two octets of lab secret!").decode()
OTHER = base64.b64encode(b"thirty-two octets of another one").decode()
KEY = TsigKey("defib", SECRET)
OLD, NEW = "old.cdn.test.", "new.cdn.test."
SITE = zone(
    "site.test.",
    record("www.site.test.", "CNAME", OLD, ttl=3),
    record("api.site.test.", "A", "192.0.2.1", "192.0.2.2"),
    record("api.site.test.", "TXT", '"one"'),
    serial=7,
)


@pytest.fixture
def servers() -> Iterator[Stage]:
    """An event loop for servers."""
    with stage() as made:
        yield made


@pytest.fixture
def secondary(servers: Stage) -> Authority:
    """A secondary that lags a little."""
    return servers.start(Authority("ns-secondary", ADDRESS, 0, delay=timedelta(milliseconds=200)))


@pytest.fixture
def primary(servers: Stage, secondary: Authority) -> DynamicPrimary:
    """A primary with one secondary."""
    secondary.delay, delay = timedelta(0), secondary.delay
    made = DynamicPrimary("ns-primary", ADDRESS, 0, zone=SITE, keys=[KEY], secondaries=[secondary])
    secondary.delay = delay
    return servers.start(made)


def update(key: TsigKey | None = KEY, origin: str = "site.test.") -> UpdateMessage:
    """An empty update, signed with `key`."""
    made = UpdateMessage(origin)
    if key is not None:
        made.use_tsig(dns.tsig.Key(key.name, key.secret, key.algorithm))
    return made


def send(server: DynamicPrimary | Authority, message: Message, timeout: float = 5) -> Message:
    """The server's reply, its signature verified if the update was signed."""
    return dns.query.udp(message, server.address, timeout, server.port)


def serial(server: DynamicPrimary | Authority) -> int:
    """The SOA serial that the server answers."""
    return int(values(ask(server, "site.test.", "SOA"), "SOA")[0].split()[2])


def test_a_compare_and_set_moves_the_answer(primary: DynamicPrimary) -> None:
    """The record moves at once on the primary, under a new serial, and the reply is signed."""
    change = update()
    change.present("www", "CNAME", OLD)
    change.replace("www", 5, "CNAME", NEW)
    reply = send(primary, change)
    assert (reply.rcode(), reply.had_tsig) == (Rcode.NOERROR, True)
    answer = ask(primary, "www.site.test.", "CNAME")
    assert (values(answer, "CNAME"), answer.answer[0].ttl, serial(primary)) == ([NEW], 5, 8)


def test_a_secondary_follows_after_its_delay(primary: DynamicPrimary, secondary: Authority) -> None:
    """D6: while it propagates the secondary still gives the old answer, then the new one."""
    change = update()
    change.replace("www", 3, "CNAME", NEW)
    sent = CLOCK.monotonic()
    send(primary, change)
    assert values(ask(secondary, "www.site.test.", "CNAME"), "CNAME") == [OLD]
    wait_for_values(secondary, "www.site.test.", "CNAME", [NEW])
    assert CLOCK.monotonic() - sent >= timedelta(milliseconds=200)
    assert serial(secondary) == 8


def test_an_update_over_tcp(primary: DynamicPrimary) -> None:
    """Updates are taken over TCP as well."""
    change = update()
    change.replace("www", 3, "CNAME", NEW)
    assert dns.query.tcp(change, primary.address, 5, primary.port).rcode() == Rcode.NOERROR
    assert values(ask(primary, "www.site.test.", "CNAME"), "CNAME") == [NEW]


def test_a_signed_question_gets_a_signed_answer(primary: DynamicPrimary) -> None:
    """A client that signs everything is answered in kind."""
    asked = dns.message.make_query("www.site.test.", "CNAME")
    asked.use_tsig(dns.tsig.Key(KEY.name, KEY.secret))
    reply = send(primary, asked)
    assert (values(reply, "CNAME"), reply.had_tsig) == ([OLD], True)


Prerequisite = Callable[[UpdateMessage], None]

HOLDS: list[Prerequisite] = [
    lambda change: change.present("api"),
    lambda change: change.present("api", "A"),
    lambda change: change.absent("nobody"),
    lambda change: change.absent("api", "AAAA"),
    lambda change: change.absent("nobody", "A"),
]
FAILS: list[tuple[Prerequisite, Rcode]] = [
    (lambda change: change.present("nobody"), Rcode.NXDOMAIN),
    (lambda change: change.present("api", "AAAA"), Rcode.NXRRSET),
    (lambda change: change.present("api", "A", "192.0.2.1"), Rcode.NXRRSET),
    (lambda change: change.present("www", "CNAME", NEW), Rcode.NXRRSET),
    (lambda change: change.present("nobody", "A", "192.0.2.1"), Rcode.NXRRSET),
    (lambda change: change.absent("api"), Rcode.YXDOMAIN),
    (lambda change: change.absent("api", "A"), Rcode.YXRRSET),
    (lambda change: change.present("www.other.test.", "A"), Rcode.NOTZONE),
]


@pytest.mark.parametrize("prerequisite", HOLDS)
def test_a_prerequisite_that_holds_lets_the_update_pass(primary: DynamicPrimary, prerequisite: Prerequisite) -> None:
    """The forms of RFC 2136, section 2.4, that ask for names and sets."""
    change = update()
    prerequisite(change)
    change.add("new", 60, "A", "192.0.2.9")
    assert send(primary, change).rcode() == Rcode.NOERROR
    assert values(ask(primary, "new.site.test.")) == ["192.0.2.9"]


def test_a_prerequisite_by_value_needs_the_whole_set(primary: DynamicPrimary) -> None:
    """Form 2.4.2: all values, in any order, and no other."""
    change = update()
    change.present("api", "A", "192.0.2.2")
    change.present("api", "A", "192.0.2.1")
    change.add("new", 60, "A", "192.0.2.9")
    assert send(primary, change).rcode() == Rcode.NOERROR


@pytest.mark.parametrize(("prerequisite", "rcode"), FAILS)
def test_a_prerequisite_that_fails_changes_nothing(
    primary: DynamicPrimary, prerequisite: Prerequisite, rcode: Rcode
) -> None:
    """D1: with anything else than expected in the zone, the whole update is refused with its own code."""
    before = primary.zone
    change = update()
    prerequisite(change)
    change.replace("www", 3, "CNAME", NEW)
    assert send(primary, change).rcode() == rcode
    assert (primary.zone, values(ask(primary, "www.site.test.", "CNAME"), "CNAME")) == (before, [OLD])


def test_records_are_added_and_deleted(primary: DynamicPrimary) -> None:
    """Add to a set, delete a value, delete a set and delete a name, in one message and in order."""
    change = update()
    change.add("api", 30, "A", "192.0.2.3")
    change.delete("api", "A", "192.0.2.1")
    change.delete("api", "TXT")
    change.delete("www")
    change.add("www", 60, "A", "192.0.2.8")
    assert send(primary, change).rcode() == Rcode.NOERROR
    answer = ask(primary, "api.site.test.")
    assert (values(answer), answer.answer[0].ttl) == (["192.0.2.2", "192.0.2.3"], 30)
    assert ask(primary, "api.site.test.", "TXT").answer == []
    assert values(ask(primary, "www.site.test.")) == ["192.0.2.8"]
    gone = update()
    gone.delete("www")
    send(primary, gone)
    assert ask(primary, "www.site.test.").rcode() == Rcode.NXDOMAIN
    assert serial(primary) == 9


def test_a_new_ttl_alone_is_a_change(primary: DynamicPrimary) -> None:
    """D19: the TTL belongs to the set, and setting it back restores it exactly."""
    change = update()
    change.replace("www", 300, "CNAME", OLD)
    send(primary, change)
    assert (ask(primary, "www.site.test.", "CNAME").answer[0].ttl, serial(primary)) == (300, 8)


def test_what_is_already_true_leaves_the_serial(primary: DynamicPrimary) -> None:
    """D2: an update that changes nothing is no new version of the zone."""
    change = update()
    change.replace("www", 3, "CNAME", OLD)
    change.delete("nobody")
    change.delete("api", "A", "192.0.2.77")
    assert send(primary, change).rcode() == Rcode.NOERROR
    assert serial(primary) == 7


@pytest.mark.parametrize("rdtype", ["SOA", "NS"])
def test_the_apex_keeps_what_a_zone_needs(primary: DynamicPrimary, rdtype: str) -> None:
    """SOA and the last NS of the apex outlive every deletion (RFC 2136, sections 3.4.2.3 and 3.4.2.4)."""
    before = values(ask(primary, "site.test.", rdtype), rdtype)
    change = update()
    change.delete("@")
    change.delete("@", rdtype)
    change.delete("@", rdtype, before[0])
    assert send(primary, change).rcode() == Rcode.NOERROR
    assert values(ask(primary, "site.test.", rdtype), rdtype) == before


def test_the_serial_may_be_set_forward_but_not_back(primary: DynamicPrimary) -> None:
    """An SOA with a newer serial is taken, an older one passed over."""
    for wanted, expected in ((100, 100), (50, 100)):
        change = update()
        change.add("@", 60, "SOA", f"ns.lab.test. hostmaster.site.test. {wanted} 7200 900 1209600 60")
        send(primary, change)
        assert serial(primary) == expected


@pytest.mark.parametrize(
    ("name", "rdtype", "value"), [("api", "CNAME", NEW), ("www", "A", "192.0.2.1"), ("@", "CNAME", NEW)]
)
def test_a_cname_beside_other_types_is_refused_as_a_whole(
    primary: DynamicPrimary, name: str, rdtype: str, value: str
) -> None:
    """D3: no CNAME beside other types, nor at the apex; what stood before it in the message is not done either."""
    before = primary.zone
    change = update()
    change.add("early", 60, "A", "192.0.2.5")
    change.add(name, 60, rdtype, value)
    assert send(primary, change).rcode() == Rcode.REFUSED
    assert (primary.zone, ask(primary, "early.site.test.").rcode()) == (before, Rcode.NXDOMAIN)


def test_a_server_that_passes_over_conflicts_says_noerror(primary: DynamicPrimary) -> None:
    """As RFC 2136, section 3.4.2.2 has it: success is said, the rest is done, the conflict is not."""
    primary.refuse_conflicts = False
    change = update()
    change.add("api", 60, "CNAME", NEW)
    change.add("new", 60, "A", "192.0.2.9")
    assert send(primary, change).rcode() == Rcode.NOERROR
    assert values(ask(primary, "api.site.test.")) == ["192.0.2.1", "192.0.2.2"]
    assert values(ask(primary, "new.site.test.")) == ["192.0.2.9"]


def test_a_late_mistake_undoes_nothing_because_nothing_was_done(primary: DynamicPrimary) -> None:
    """All or nothing: a name outside of the zone at the end refuses the whole message."""
    before = primary.zone
    change = update()
    change.replace("www", 3, "CNAME", NEW)
    change.add("www.other.test.", 60, "A", "192.0.2.1")
    assert send(primary, change).rcode() == Rcode.NOTZONE
    assert primary.zone == before


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (TsigKey("defib", OTHER), dns.tsig.PeerBadSignature),
        (TsigKey("stranger", SECRET), dns.tsig.PeerBadKey),
        (TsigKey("defib", SECRET, "hmac-sha512"), dns.tsig.PeerBadKey),
    ],
)
def test_a_wrong_key_is_told_and_changes_nothing(
    primary: DynamicPrimary, key: TsigKey, error: type[dns.exception.DNSException]
) -> None:
    """BADSIG for a wrong secret, BADKEY for an unknown key or algorithm (RFC 8945, section 5.2)."""
    before = primary.zone
    change = update(key)
    change.replace("www", 3, "CNAME", NEW)
    with pytest.raises(error):
        send(primary, change)
    assert primary.zone == before


def test_an_unsigned_update_is_refused(primary: DynamicPrimary) -> None:
    """Without a key nothing is changed, and no prerequisite is told about."""
    change = update(key=None)
    change.present("nobody")
    change.replace("www", 3, "CNAME", NEW)
    assert send(primary, change).rcode() == Rcode.REFUSED
    assert values(ask(primary, "www.site.test.", "CNAME"), "CNAME") == [OLD]


def _signed_at(message: UpdateMessage, signed: int) -> tuple[bytes, bytes]:
    """The message signed at another time than now, and its MAC."""
    key = dns.tsig.Key(KEY.name, KEY.secret)
    wire = message.to_wire()
    blank = dns.rdtypes.ANY.TSIG.TSIG(  # type: ignore[no-untyped-call]
        dns.rdataclass.ANY, dns.rdatatype.TSIG, key.algorithm, 0, 300, b"", message.id, 0, b""
    )
    made, _ = dns.tsig.sign(wire, key, blank, signed)  # type: ignore[no-untyped-call]
    body = made.to_wire()
    record_ = (key.name.to_wire() or b"") + struct.pack("!HHIH", 250, 255, 0, len(body)) + body
    return wire[:10] + b"\x00\x01" + wire[12:] + record_, made.mac


def test_a_wrong_clock_is_told_with_the_servers_time(primary: DynamicPrimary) -> None:
    """BADTIME comes signed, with the asker's time and the server's (RFC 8945, section 5.2.3)."""
    now = int(CLOCK.now().timestamp())
    change = update(key=None)
    change.replace("www", 3, "CNAME", NEW)
    wire, mac = _signed_at(change, now - 3600)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(5)
        asker.sendto(wire, (primary.address, primary.port))
        answer = asker.recv(4096)
    reply = dns.message.from_wire(answer, keyring=False)
    assert reply.tsig is not None
    said = reply.tsig[0]
    assert isinstance(said, dns.rdtypes.ANY.TSIG.TSIG)
    assert (reply.rcode(), said.error, said.time_signed) == (Rcode.NOTAUTH, Rcode.BADTIME, now - 3600)
    assert abs(int.from_bytes(said.other, "big") - now) <= 5
    bare = answer[:10] + b"\x00\x00" + answer[12 : 12 + len(dns.name.from_text("site.test.").to_wire() or b"") + 4]
    expected, _ = dns.tsig.sign(  # type: ignore[no-untyped-call]
        bare, dns.tsig.Key(KEY.name, KEY.secret), said.replace(mac=b""), now - 3600, mac
    )
    assert said.mac == expected.mac
    assert values(ask(primary, "www.site.test.", "CNAME"), "CNAME") == [OLD]


def test_an_update_of_another_zone_is_not_ours(primary: DynamicPrimary) -> None:
    """NOTAUTH for a zone that this server is not the primary of."""
    change = update(origin="other.test.")
    change.add("www", 60, "A", "192.0.2.1")
    assert send(primary, change).rcode() == Rcode.NOTAUTH


def test_a_secondary_takes_no_updates(primary: DynamicPrimary, secondary: Authority) -> None:
    """NOTIMP from a server without updates; it has no keys, so the update goes unsigned."""
    change = update(key=None)
    change.add("www", 60, "A", "192.0.2.1")
    assert send(secondary, change).rcode() == Rcode.NOTIMP


def test_a_lying_server_says_yes_and_does_nothing(primary: DynamicPrimary) -> None:
    """C11 in the words of DNS: NOERROR is the server's word, not a proof."""
    primary.lying = True
    change = update()
    change.replace("www", 3, "CNAME", NEW)
    assert send(primary, change).rcode() == Rcode.NOERROR
    assert values(ask(primary, "www.site.test.", "CNAME"), "CNAME") == [OLD]


def test_a_mute_server_does_it_and_never_says_so(primary: DynamicPrimary) -> None:
    """A write that times out may have landed."""
    primary.mute = True
    change = update()
    change.replace("www", 3, "CNAME", NEW)
    with pytest.raises(dns.exception.Timeout):
        send(primary, change, timeout=0.3)
    assert values(ask(primary, "www.site.test.", "CNAME"), "CNAME") == [NEW]


def test_a_weighted_zone_is_refused() -> None:
    """RFC 2136 knows no weights: such a zone belongs to another server."""
    weighted = zone("site.test.", record("www.site.test.", "CNAME", OLD, weight=1))
    with pytest.raises(InputError, match="weighted"):
        DynamicPrimary("ns-primary", ADDRESS, 0, zone=weighted, keys=[KEY])
