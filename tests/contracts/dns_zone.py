"""What every :class:`defib.ports.DnsZone` keeps, whatever vendor is behind it.

An adapter's test gives a :class:`ZoneWorld` with a fresh zone that holds exactly :data:`SEED` beside its SOA and NS.
TTLs are 60 s or more, because Cloudflare takes no less.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from defib.clock import Clock, Deadline, SystemClock
from defib.errors import Conflict, Denied, NotFound, ProviderError, Unavailable
from defib.ports import DnsZone, Receipt, RecordChange, RecordKey, RecordSet

ZONE = "contract.test."


def record(name: str, kind: str, *values: str, ttl: int = 300) -> RecordSet:
    """A record set inside the zone of this contract."""
    return RecordSet(RecordKey(f"{name}.{ZONE}", kind), timedelta(seconds=ttl), values)


WWW = record("www", "CNAME", "a.example.net.", ttl=60)
API = record("api", "A", "192.0.2.1", "192.0.2.2")
API6 = record("api", "AAAA", "2001:db8::1")
NOTE = record("note", "TXT", '"a b" "c\\"d"')
MAIL = record("mail", "MX", "10 mx1.example.net.", "20 mx2.example.net.", ttl=3600)
SEED = (WWW, API, API6, NOTE, MAIL)

WWW_B = replace(WWW, values=("b.example.net.",))
ABSENT = record("absent", "A", "192.0.2.9")


@dataclass(frozen=True)
class ZoneWorld:
    """One zone, seen through the adapter, and past it.

    `content` is all that the vendor holds but SOA and NS. `denied` is the same zone with credentials that the vendor does
    not take; `unknown` asks for the zone ``elsewhere.test.``, which it does not have.
    """

    zone: DnsZone
    content: Callable[[], tuple[RecordSet, ...]]
    denied: DnsZone
    unknown: DnsZone
    clock: Clock = field(default_factory=SystemClock)

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def settle(self, receipt: Receipt) -> bool:
        """Wait until the vendor says that the change is everywhere; False if it does not within 10 s."""
        deadline = self.soon()
        while not self.zone.settled(receipt, within=deadline):
            if deadline.remaining() < timedelta(milliseconds=100):
                return False
            self.clock.sleep(timedelta(milliseconds=20))
        return True


def sorted_sets(*sets: RecordSet) -> tuple[RecordSet, ...]:
    """In the order in which `content` is compared, whatever the order of values."""
    return tuple(sorted((replace(each, values=tuple(sorted(each.values))) for each in sets), key=lambda each: each.key))


def change(before: RecordSet | None, after: RecordSet | None) -> RecordChange:
    """A change, for short."""
    return RecordChange(before=before, after=after)


class DnsZoneContract:
    """Subclass with a fixture `world`; a class of wrapped zones does the same."""

    @pytest.fixture
    def world(self) -> Iterator[ZoneWorld]:
        """The zone under test; each adapter's class gives its own."""
        raise NotImplementedError

    def test_seed_is_what_the_vendor_holds(self, world: ZoneWorld) -> None:
        """The world starts as the other tests take for granted."""
        assert sorted_sets(*SEED) == world.content()

    def test_reads_in_the_order_asked(self, world: ZoneWorld) -> None:
        """What is there reads as it stands, what is not reads as None, each at its place."""
        keys = [MAIL.key, ABSENT.key, WWW.key, NOTE.key, API6.key, API.key]
        assert (*sorted_sets(MAIL), None, WWW, NOTE, API6, *sorted_sets(API)) == world.zone.read(keys, within=world.soon())

    def test_reads_nothing_where_nothing_is_asked(self, world: ZoneWorld) -> None:
        """No keys, no record sets."""
        assert world.zone.read([], within=world.soon()) == ()

    def test_reads_absence_beside_another_type(self, world: ZoneWorld) -> None:
        """A name that holds other types, or an alias, does not hold the type that was asked for."""
        keys = [RecordKey(WWW.key.name, "A"), RecordKey(API.key.name, "TXT"), RecordKey(ZONE, "A")]
        assert world.zone.read(keys, within=world.soon()) == (None, None, None)

    def test_reads_absence_of_https_records(self, world: ZoneWorld) -> None:
        """D4: every vendor can be asked for what browsers ask for first, alone and beside addresses."""
        https = RecordKey(API.key.name, "HTTPS")
        assert world.zone.read([https], within=world.soon()) == (None,)
        assert world.zone.read([RecordKey(WWW.key.name, "HTTPS"), API6.key, https], within=world.soon()) == (
            None,
            API6,
            None,
        )

    def test_names_do_not_depend_on_case(self, world: ZoneWorld) -> None:
        """A name in capitals is the same name."""
        key = RecordKey(WWW.key.name.upper(), "CNAME")
        assert world.zone.read([key], within=world.soon()) == (WWW,)

    def test_replaces_exactly_the_named_set(self, world: ZoneWorld) -> None:
        """A change reaches its own record set, and nothing else in the zone is touched."""
        world.zone.replace([change(WWW, WWW_B)], within=world.soon())
        assert sorted_sets(WWW_B, *SEED[1:]) == world.content()
        assert world.zone.read([WWW.key], within=world.soon()) == (WWW_B,)

    def test_makes_several_changes_at_once(self, world: ZoneWorld) -> None:
        """A batch changes, creates and removes."""
        api = replace(API, ttl=timedelta(seconds=90), values=("192.0.2.7",))
        world.zone.replace([change(API, api), change(None, ABSENT), change(NOTE, None)], within=world.soon())
        assert sorted_sets(WWW, api, API6, MAIL, ABSENT) == world.content()

    def test_reversed_change_restores(self, world: ZoneWorld) -> None:
        """D19: the reversed change restores values and TTL exactly."""
        there = change(MAIL, replace(MAIL, ttl=timedelta(seconds=75), values=("5 mx.example.org.",)))
        world.zone.replace([there], within=world.soon())
        world.zone.replace([there.reversed()], within=world.soon())
        assert sorted_sets(*SEED) == world.content()

    def test_order_of_values_has_no_meaning(self, world: ZoneWorld) -> None:
        """A `before` whose values come in another order is what stands."""
        turned = replace(API, values=API.values[::-1])
        after = replace(API, values=("192.0.2.3",))
        world.zone.replace([change(turned, after)], within=world.soon())
        assert world.zone.read([API.key], within=world.soon()) == (after,)

    @pytest.mark.parametrize(
        "stale",
        [
            replace(WWW, values=("other.example.net.",)),
            replace(WWW, ttl=timedelta(seconds=61)),
            None,
        ],
        ids=["value", "ttl", "absence"],
    )
    def test_stale_before_conflicts(self, world: ZoneWorld, stale: RecordSet | None) -> None:
        """D1: where the present value, TTL or absence is another than expected, nothing is changed."""
        with pytest.raises(Conflict):
            world.zone.replace([change(stale, WWW_B)], within=world.soon())
        assert sorted_sets(*SEED) == world.content()

    def test_change_of_an_absent_set_conflicts(self, world: ZoneWorld) -> None:
        """What is gone cannot be changed, and does not come back by it."""
        with pytest.raises(Conflict):
            world.zone.replace([change(ABSENT, replace(ABSENT, values=("192.0.2.10",)))], within=world.soon())
        assert sorted_sets(*SEED) == world.content()

    def test_removal_compares_too(self, world: ZoneWorld) -> None:
        """A record set that differs from what is to be removed stays."""
        with pytest.raises(Conflict):
            world.zone.replace([change(replace(API, values=("192.0.2.1",)), None)], within=world.soon())
        assert sorted_sets(*SEED) == world.content()

    def test_batch_is_all_or_nothing(self, world: ZoneWorld) -> None:
        """A batch whose second change conflicts changes nothing."""
        second = change(replace(API, values=("198.51.100.1",)), replace(API, values=("198.51.100.2",)))
        with pytest.raises(Conflict):
            world.zone.replace([change(WWW, WWW_B), second], within=world.soon())
        assert sorted_sets(*SEED) == world.content()

    def test_second_identical_replace_conflicts(self, world: ZoneWorld) -> None:
        """A change that was made is not made again: its `before` no longer stands."""
        world.zone.replace([change(WWW, WWW_B)], within=world.soon())
        with pytest.raises(Conflict):
            world.zone.replace([change(WWW, WWW_B)], within=world.soon())
        assert sorted_sets(WWW_B, *SEED[1:]) == world.content()

    def test_alias_beside_other_types_conflicts(self, world: ZoneWorld) -> None:
        """A CNAME beside other types is refused and not passed over in silence."""
        with pytest.raises(Conflict):
            world.zone.replace([change(None, record("api", "CNAME", "a.example.net."))], within=world.soon())
        with pytest.raises(Conflict):
            world.zone.replace([change(None, record("www", "TXT", '"x"'))], within=world.soon())
        assert sorted_sets(*SEED) == world.content()

    def test_type_is_exchanged_in_one_batch(self, world: ZoneWorld) -> None:
        """D4: addresses of both families give way to an alias in one step, and come back in one."""
        alias = record("api", "CNAME", "a.example.net.")
        batch = [change(API, None), change(API6, None), change(None, alias)]
        world.zone.replace(batch, within=world.soon())
        assert sorted_sets(WWW, NOTE, MAIL, alias) == world.content()
        world.zone.replace([each.reversed() for each in batch], within=world.soon())
        assert sorted_sets(*SEED) == world.content()

    def test_same_value_may_be_set_again(self, world: ZoneWorld) -> None:
        """A change from what stands to itself is taken, and its receipt can be asked for: retrying builds on it."""
        receipt = world.zone.replace([change(WWW, WWW)], within=world.soon())
        assert world.settle(receipt)
        assert sorted_sets(*SEED) == world.content()

    def test_batch_that_contradicts_itself_conflicts(self, world: ZoneWorld) -> None:
        """A record set named twice, or renamed, changes nothing."""
        for batch in ([change(WWW, WWW_B), change(WWW_B, WWW)], [change(WWW, ABSENT)]):
            with pytest.raises(Conflict):
                world.zone.replace(batch, within=world.soon())
        assert sorted_sets(*SEED) == world.content()

    def test_empty_batch_changes_nothing(self, world: ZoneWorld) -> None:
        """No changes are made, and they are settled."""
        receipt = world.zone.replace([], within=world.soon())
        assert world.settle(receipt)
        assert sorted_sets(*SEED) == world.content()

    def test_settled_becomes_true(self, world: ZoneWorld) -> None:
        """The vendor says in the end that all its servers have the change."""
        receipt = world.zone.replace([change(WWW, WWW_B)], within=world.soon())
        assert world.settle(receipt)

    def test_spent_deadline_is_unavailable_at_once(self, world: ZoneWorld) -> None:
        """A call without time left neither asks nor writes."""
        started = world.clock.monotonic()
        with pytest.raises(Unavailable):
            world.zone.read([WWW.key], within=world.soon(0))
        with pytest.raises(Unavailable):
            world.zone.replace([change(WWW, WWW_B)], within=world.soon(0))
        assert world.clock.monotonic() - started < timedelta(seconds=5)
        assert sorted_sets(*SEED) == world.content()

    def test_wrong_credentials_are_denied(self, world: ZoneWorld) -> None:
        """Who may not, learns so by both reading and writing, and nothing is changed."""
        with pytest.raises(Denied):
            world.denied.read([WWW.key], within=world.soon())
        with pytest.raises(Denied):
            world.denied.replace([change(WWW, WWW_B)], within=world.soon())
        assert sorted_sets(*SEED) == world.content()

    def test_unknown_zone_is_not_found(self, world: ZoneWorld) -> None:
        """An id that the vendor does not have is a matter of configuration, for reading and writing."""
        elsewhere = RecordSet(RecordKey("www.elsewhere.test.", "CNAME"), WWW.ttl, WWW.values)
        with pytest.raises(NotFound):
            world.unknown.read([elsewhere.key], within=world.soon())
        with pytest.raises(NotFound):
            world.unknown.replace([change(None, elsewhere)], within=world.soon())

    def test_errors_say_where(self, world: ZoneWorld) -> None:
        """An error names the zone or server it came from, and the record set it is about."""
        with pytest.raises(Conflict) as caught:
            world.zone.replace([change(WWW_B, WWW)], within=world.soon())
        assert caught.value.where
        assert str(WWW.key) in str(caught.value)

    def test_one_of_two_writers_wins(self, world: ZoneWorld) -> None:
        """Of two changes from the same value at the same time one is made and the other conflicts."""
        rivals = [change(WWW, replace(WWW, values=(f"{who}.example.net.",))) for who in ("left", "right")]
        start = threading.Barrier(len(rivals))

        def attempt(rival: RecordChange) -> ProviderError | None:
            start.wait(timeout=60)
            try:
                world.zone.replace([rival], within=world.soon())
            except ProviderError as error:
                return error
            return None

        with ThreadPoolExecutor(len(rivals)) as pool:
            outcomes = list(pool.map(attempt, rivals))
        losers = [outcome for outcome in outcomes if outcome is not None]
        assert [type(loser) for loser in losers] == [Conflict]
        assert rivals[outcomes.index(None)].after in world.content()

    def test_name_is_never_without_an_answer(self, world: ZoneWorld) -> None:
        """D16: a name that is changed in place is there at every moment."""
        over = threading.Event()
        seen: list[RecordSet | None] = []

        def watch() -> None:
            while not over.is_set():
                seen.extend(world.zone.read([WWW.key], within=world.soon()))

        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)
            there = change(WWW, WWW_B)
            for each in (there, there.reversed()) * 3:
                world.zone.replace([each], within=world.soon())
            over.set()
            watching.result(timeout=120)
        assert set(seen) <= {WWW, WWW_B}
        assert seen
