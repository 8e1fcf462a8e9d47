"""A host keeps its contract inside retry, rate limit and read-only, and each adds what it is there for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import Conflict, Denied, LeaseLost, NotFound, ProviderError, Refused, Unavailable
from defib.lab.faults import Fault
from defib.lab.hosting import furniture
from defib.lab.hosting.alone import serve_netlify, serve_vercel
from defib.ports import Host
from defib.providers.open import open_host
from defib.providers.wrappers import FencedHost, Rate, RateLimitedHost, ReadOnlyHost, RetryingHost
from defib.sites.vendors import HostRecords, NetlifyHost, VercelHost
from tests.contracts.described import NETLIFY, VERCEL, compared
from tests.contracts.host import HostContract, HostWorld
from tests.providers.host.test_host_memory import FREE, HELD, TAKEN, memory_host, memory_world
from tests.providers.host.test_netlify import netlify_world
from tests.providers.host.test_vercel import vercel_world

RECORDS = (HostRecords(name="www.pulse-trading.test", type="CNAME", values=("cname.vercel-dns.com.",)),)


def wrapped(host: Host) -> Host:
    """Both wrappers, as a site file opens them."""
    limited = RateLimitedHost(host, Rate(500, timedelta(seconds=1)), Rate(500, timedelta(seconds=1)))
    return RetryingHost(limited, random.Random(7))


def wrapped_world(world: HostWorld) -> HostWorld:
    """The same world through the wrappers."""
    return replace(world, host=wrapped(world.host), denied=wrapped(world.denied), unknown=wrapped(world.unknown))


class TestWrappedMemoryHost(HostContract):
    """The contract over both wrappers around memory."""

    @pytest.fixture
    def world(self) -> HostWorld:
        """A fresh project, wrapped."""
        return wrapped_world(memory_world())


class TestWrappedVercel(HostContract):
    """The contract over both wrappers around Vercel."""

    @pytest.fixture
    def world(self) -> Iterator[HostWorld]:
        """A fresh project, wrapped."""
        with serve_vercel() as running, compared(running.endpoint, VERCEL) as endpoint:
            yield wrapped_world(vercel_world(replace(running, endpoint=endpoint)))


class TestWrappedNetlify(HostContract):
    """The contract over both wrappers around Netlify."""

    @pytest.fixture
    def world(self) -> Iterator[HostWorld]:
        """A fresh site, wrapped."""
        with serve_netlify() as running, compared(running.endpoint, NETLIFY) as endpoint:
            yield wrapped_world(netlify_world(replace(running, endpoint=endpoint)))


class TestRetryingHost:
    """What is retried, what is not, and that nothing is done twice."""

    def setup_method(self) -> None:
        self.clock = SimulatedClock()
        self.memory = memory_host(self.clock, timedelta(0))
        self.host = RetryingHost(self.memory, random.Random(7), by_hand="see runbooks/x.md")

    def soon(self, seconds: float = 30) -> Deadline:
        """A deadline on the simulated clock."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def test_passing_failure_is_not_seen(self) -> None:
        """Each call that fails twice in a row succeeds within its deadline."""
        for call in (
            lambda: self.host.live(within=self.soon()),
            lambda: self.host.attachment(HELD, within=self.soon()),
            lambda: self.host.attach(FREE, within=self.soon()),
            lambda: self.host.publish("a", within=self.soon()),
            lambda: self.host.quota(within=self.soon()),
        ):
            self.memory.failures.schedule(Unavailable("busy"), calls=2)
            assert call() is not None
        assert timedelta(0) < self.clock.monotonic() < timedelta(seconds=10)

    def test_write_that_landed_is_not_made_twice(self) -> None:
        """A write whose answer was lost is found in place."""
        self.memory.failures.schedule(Unavailable("lost"), methods=["attach"], lands_after=timedelta(0), hangs=True)
        self.memory.failures.schedule(Unavailable("lost"), methods=["publish"], lands_after=timedelta(0))
        assert self.host.attach(FREE, within=self.soon()).ready
        assert self.host.publish("a", within=self.soon()).id == "a"
        assert (self.memory.attached, self.memory.published) == ((FREE,), ("a",))

    @pytest.mark.parametrize("error", [Denied("no"), NotFound("no"), Conflict("no")])
    def test_lasting_refusal_is_not_retried(self, error: ProviderError) -> None:
        """What waiting does not change is raised at once."""
        self.memory.failures.schedule(error)
        with pytest.raises(type(error)):
            self.host.publish("a", within=self.soon())
        assert self.clock.monotonic() == timedelta(0)
        with pytest.raises(Conflict):
            self.host.attach(TAKEN, within=self.soon())

    def test_wish_beyond_the_deadline_fails_at_once(self) -> None:
        """C10: a wait that does not fit fails without waiting, and leads to the manual way."""
        self.memory.failures.schedule(Unavailable("busy", retry_after=timedelta(seconds=300)))
        with pytest.raises(Unavailable) as caught:
            self.host.live(within=self.soon())
        assert self.clock.monotonic() == timedelta(0)
        assert caught.value.then == "see runbooks/x.md"


class TestRateLimitedHost:
    """Calls keep to what the vendor documents."""

    def test_attaching_has_a_rate_of_its_own(self) -> None:
        """Reading does not wait for it; the second name does."""
        clock = SimulatedClock()
        host = RateLimitedHost(memory_host(clock), attaching=Rate(1, timedelta(minutes=1)))

        def soon() -> Deadline:
            return Deadline.after(clock, timedelta(minutes=2))

        host.attach(FREE, within=soon())
        for _ in range(5):
            host.attachment(FREE, within=soon())
        assert clock.monotonic() == timedelta(0)
        host.attach(HELD, within=soon())
        assert clock.monotonic() == timedelta(minutes=1)

    def test_every_call_counts(self) -> None:
        """Reading, publishing and attaching share one rate."""
        clock = SimulatedClock()
        host = RateLimitedHost(memory_host(clock), Rate(1, timedelta(seconds=2)))
        within = Deadline.after(clock, timedelta(minutes=1))
        host.live(within=within)
        host.quota(within=within)
        host.publish("a", within=within)
        host.attach(FREE, within=within)
        assert clock.monotonic() == timedelta(seconds=6)
        with pytest.raises(Unavailable):
            host.live(within=Deadline.after(clock, timedelta(seconds=1)))


def test_fence_is_asked_before_each_write() -> None:
    """E8: once the lease is lost nothing is written, not even by a retry; reading goes on."""
    clock = SimulatedClock()
    memory = memory_host(clock)
    lost: list[LeaseLost] = []

    def check() -> None:
        if lost:
            raise lost[0]

    host = RetryingHost(FencedHost(memory, check), random.Random(7))
    within = Deadline.after(clock, timedelta(minutes=1))
    assert host.attach(FREE, within=within).ready
    memory.failures.schedule(Unavailable("busy", retry_after=timedelta(seconds=9)), methods=["publish"])
    clock.at(timedelta(seconds=5), lambda: lost.append(LeaseLost("another run holds the site")))
    with pytest.raises(LeaseLost):
        host.publish("a", within=within)
    with pytest.raises(LeaseLost):
        host.attach(HELD, within=within)
    assert host.live(within=within) is not None
    assert host.attachment(HELD, within=within).ready
    assert not host.quota(within=within).suspended
    assert (host.vendor, host.project, memory.published) == ("memory", "P1", ())


def test_read_only_tells_and_never_writes() -> None:
    """In plan mode reads pass through; attaching and publishing are refused and do not reach the vendor."""
    clock = SimulatedClock()
    memory = memory_host(clock)
    host = ReadOnlyHost(memory)
    within = Deadline.after(clock, timedelta(seconds=5))
    assert (host.vendor, host.project) == ("memory", "P1")
    assert host.live(within=within) == memory.live(within=within)
    assert host.attachment(HELD, within=within).ready
    assert not host.quota(within=within).suspended
    with pytest.raises(Refused) as caught:
        host.attach(FREE, within=within)
    assert FREE in caught.value.what
    with pytest.raises(Refused):
        host.publish("a", within=within)
    assert (memory.attached, memory.published) == ((), ())


def test_opens_vercel_and_netlify_as_the_site_file_says() -> None:
    """Ids, team, addresses and tokens come from the file; a passing failure of the vendor is not seen."""
    clock = SystemClock()
    within = Deadline.after(clock, timedelta(seconds=10))
    with serve_vercel(team="team_pulse") as vercel, serve_netlify() as netlify:
        tokens = {"env:VERCEL": vercel.token, "env:NETLIFY": netlify.token}
        first = VercelHost(
            name="vercel",
            role="primary",
            records=RECORDS,
            provider="vercel",
            project=furniture.VERCEL_PROJECT,
            team="team_pulse",
            token="env:VERCEL",
            api=vercel.endpoint,
        )
        second = NetlifyHost(
            name="netlify",
            role="backup",
            records=RECORDS,
            provider="netlify",
            project=furniture.NETLIFY_SITE,
            token="env:NETLIFY",
            api=netlify.endpoint,
        )
        vercel.set_fault(Fault("500", {"times": 1}))
        netlify.set_fault(Fault("429", {"times": 1, "retry_after": 1}))
        opened = [open_host(config, tokens.__getitem__) for config in (first, second)]
        assert [(each.vendor, each.project) for each in opened] == [
            ("vercel", furniture.VERCEL_PROJECT),
            ("netlify", furniture.NETLIFY_SITE),
        ]
        live = [each.live(within=within) for each in opened]
    assert [each.id for each in live if each is not None] == [furniture.VERCEL_LIVE, furniture.NETLIFY_LIVE]
