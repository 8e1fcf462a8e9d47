"""Whether a TSIG key may update, asked of the lab's primary and of BIND, by updates that change nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dns.message
import dns.query
import dns.tsig
import pytest
from dns.rdtypes.ANY.SOA import SOA

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, Unavailable
from defib.lab import furniture
from defib.lab.names import TSIG_NAME
from defib.lab.plan import DNS_PORT
from defib.ports import RecordKey, RecordSet
from defib.providers.access_rfc2136 import Rfc2136Access, harmless
from defib.sites.vendors import Server
from tests.lab.lab_stage import running_world
from tests.providers.dns import bind

ZONE = "example.test."
SECRET = base64.b64encode(b"s" * 32).decode()
WWW = RecordKey(f"www.{ZONE}", "CNAME")
APEX = RecordKey(ZONE, "A")
ABSENT = RecordKey(ZONE, "AAAA")
HELD = (
    RecordSet(WWW, timedelta(seconds=60), (f"a.{ZONE}",)),
    RecordSet(APEX, timedelta(seconds=60), ("192.0.2.1",)),
)
WWW_ALONE = "update-policy {{ grant {key} name www.{zone} CNAME; }};"
BY_ADDRESS_LIST = "allow-update {{ key {key}; }};"

needs_bind = pytest.mark.skipif(not bind.named(), reason="BIND is not installed (apt-get install bind9)")


@contextmanager
def named(folder: Path, policy: str = bind.ANYTHING) -> Iterator[Server]:
    """BIND with a key `defib` for which `policy` stands, and a key `reader` that it knows and lets change nothing."""
    with bind.serve(folder, ZONE, HELD, "defib", SECRET, policy) as port:
        yield Server(name="bind", address="127.0.0.1", port=port)


def access(server: Server, key: str = "defib", *keys: RecordKey, secret: str = SECRET) -> Rfc2136Access:
    """The access of that key to these record sets."""
    return Rfc2136Access(ZONE, server, dns.tsig.Key(key, secret, "hmac-sha256"), keys or (WWW, APEX, ABSENT))


def soon() -> Deadline:
    """Enough for a few calls."""
    return Deadline.after(SystemClock(), timedelta(seconds=10))


def serial(server: Server, zone: str = ZONE) -> int:
    """The zone's serial."""
    answer = dns.query.tcp(dns.message.make_query(zone, "SOA"), server.address, port=server.port, timeout=5)
    (soa,) = answer.answer[0]
    assert isinstance(soa, SOA)
    return soa.serial


@needs_bind
@pytest.mark.parametrize("policy", [bind.ANYTHING, BY_ADDRESS_LIST])
def test_a_key_that_may_update(tmp_path: Path, policy: str) -> None:
    """BIND says so, by policy and by list, for record sets that stand and for one that does not; the zone stays as it is."""
    with named(tmp_path, policy) as server:
        before = serial(server)
        grant = access(server).granted(within=soon())
        assert (grant.may_edit, grant.who) == (True, "defib")
        assert serial(server) == before


@needs_bind
def test_a_key_that_may_only_read(tmp_path: Path) -> None:
    """D11: BIND knows the key and refuses it every update, which is found without one."""
    with named(tmp_path) as server:
        grant = access(server, "reader").granted(within=soon())
    assert (grant.may_edit, grant.why) == (False, f"REFUSED for {WWW}, {APEX}, {ABSENT}")


@needs_bind
def test_a_key_that_may_update_other_names_only(tmp_path: Path) -> None:
    """D11: what a recovery needs beside is named."""
    with named(tmp_path, WWW_ALONE) as server:
        assert access(server, "defib", WWW).granted(within=soon()).may_edit is True
        grant = access(server).granted(within=soon())
    assert (grant.may_edit, grant.why) == (False, f"REFUSED for {APEX}, {ABSENT}")


@needs_bind
@pytest.mark.parametrize(("key", "secret"), [("nobody", SECRET), ("defib", base64.b64encode(b"other").decode())])
def test_a_key_that_the_server_does_not_know(tmp_path: Path, key: str, secret: str) -> None:
    """It is denied, in the words of TSIG and not in those of a policy."""
    with named(tmp_path) as server, pytest.raises(Denied) as told:
        access(server, key, secret=secret).granted(within=soon())
    assert "TSIG" in told.value.what


def test_the_labs_primary() -> None:
    """It takes the update of who has the key, changes nothing by it, and turns down who has another."""
    with running_world() as stage:
        server = Server(name="ns-primary", address=stage.world.plan.at("5.11"), port=DNS_PORT)
        zone, held = furniture.ZONE_2136, RecordKey(f"www.{furniture.ZONE_2136}", "CNAME")
        keys = (held, RecordKey(zone, "AAAA"), RecordKey(zone, "A"))
        right = dns.tsig.Key(TSIG_NAME, stage.keys.tsig_key, "hmac-sha256")
        before = serial(server, zone), stage.world.fingerprint()
        assert Rfc2136Access(zone, server, right, keys).granted(within=soon()).may_edit is True
        assert (serial(server, zone), stage.world.fingerprint()) == before
        wrong = dns.tsig.Key(TSIG_NAME, SECRET, "hmac-sha256")
        with pytest.raises(Denied):
            Rfc2136Access(zone, server, wrong, keys).granted(within=soon())


def test_a_server_that_does_not_answer() -> None:
    """No answer is unknown to whoever asked: the adapter says so, and in time."""
    with pytest.raises(Unavailable):
        access(Server(name="none", address="127.0.0.1", port=9)).granted(within=soon())


@pytest.mark.parametrize("key", [WWW, APEX, ABSENT])
def test_the_update_only_removes_one_value(key: RecordKey) -> None:
    """It adds nothing, removes no set as a whole, and demands nothing; each time it is another value."""
    message = harmless(ZONE, key)
    assert (len(message.prerequisite), len(message.update)) == (0, 1)
    (change,) = message.update
    assert (change.deleting, len(change)) == (dns.rdataclass.NONE, 1)
    values = {str(harmless(ZONE, key).update[0][0]) for _ in range(20)}
    assert len(values) > 1
