"""What every :class:`defib.ports.Cdn` keeps, whatever vendor is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from defib.clock import Clock, Deadline, SystemClock
from defib.errors import Denied, NotFound, Unavailable
from defib.ports import Cdn, Receipt


@dataclass(frozen=True)
class CdnWorld:
    """One distribution that is enabled, deployed, answers for `name` and fetches from `origin`; nothing was purged yet.

    `disable` switches it off past the adapter, `purged` is every path that the vendor was told to forget. `denied` is the
    same distribution with credentials that the vendor does not take, `unknown` one that it does not have.
    """

    cdn: Cdn
    name: str
    origin: str
    disable: Callable[[], None]
    purged: Callable[[], tuple[str, ...]]
    denied: Cdn
    unknown: Cdn
    clock: Clock = field(default_factory=SystemClock)

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def settle(self, receipt: Receipt) -> bool:
        """Wait until the vendor says that the purge is everywhere; False if it does not within 10 s."""
        deadline = self.soon()
        while not self.cdn.settled(receipt, within=deadline):
            if deadline.remaining() < timedelta(milliseconds=100):
                return False
            self.clock.sleep(timedelta(milliseconds=20))
        return True


class CdnContract:
    """Subclass with a fixture `world`."""

    @pytest.fixture
    def world(self) -> Iterator[CdnWorld]:
        """The distribution under test; each adapter's class gives its own."""
        raise NotImplementedError

    def test_tells_how_it_stands(self, world: CdnWorld) -> None:
        """The status holds the public name, fully qualified, and the origin."""
        status = world.cdn.status(within=world.soon())
        assert (status.enabled, status.deployed) == (True, True)
        assert world.name in status.names
        assert status.origin == world.origin
        assert status.version

    def test_looking_changes_nothing(self, world: CdnWorld) -> None:
        """Two looks see the same, version included."""
        assert world.cdn.status(within=world.soon()) == world.cdn.status(within=world.soon())

    def test_version_follows_the_configuration(self, world: CdnWorld) -> None:
        """A distribution that was switched off says so, under another version."""
        before = world.cdn.status(within=world.soon())
        world.disable()
        after = world.cdn.status(within=world.soon())
        assert not after.enabled
        assert after.version != before.version

    def test_purge_reaches_the_vendor_and_settles(self, world: CdnWorld) -> None:
        """Exactly the named paths are forgotten, and the vendor says in the end that they are."""
        receipt = world.cdn.purge(["/index.html", "/main.dart.js"], within=world.soon())
        assert world.settle(receipt)
        assert sorted(world.purged()) == ["/index.html", "/main.dart.js"]

    def test_purge_is_safe_to_repeat(self, world: CdnWorld) -> None:
        """Forgetting twice is no error."""
        for _ in range(2):
            assert world.settle(world.cdn.purge(["/index.html"], within=world.soon()))
        assert set(world.purged()) == {"/index.html"}

    def test_purges_many_paths(self, world: CdnWorld) -> None:
        """More paths than a vendor takes in one request all arrive."""
        paths = [f"/assets/{number}.png" for number in range(65)]
        assert world.settle(world.cdn.purge(paths, within=world.soon()))
        assert sorted(world.purged()) == sorted(paths)

    def test_purge_of_nothing_asks_for_nothing(self, world: CdnWorld) -> None:
        """No paths, no request that a vendor would refuse, and no purge of everything."""
        assert world.settle(world.cdn.purge([], within=world.soon()))
        assert world.purged() == ()

    def test_spent_deadline_is_unavailable_at_once(self, world: CdnWorld) -> None:
        """A call without time left asks nothing."""
        started = world.clock.monotonic()
        with pytest.raises(Unavailable):
            world.cdn.status(within=world.soon(0))
        with pytest.raises(Unavailable):
            world.cdn.purge(["/index.html"], within=world.soon(0))
        assert world.clock.monotonic() - started < timedelta(seconds=5)
        assert world.purged() == ()

    def test_wrong_credentials_are_denied(self, world: CdnWorld) -> None:
        """Who may not, learns so by reading and by purging."""
        with pytest.raises(Denied):
            world.denied.status(within=world.soon())
        with pytest.raises(Denied):
            world.denied.purge(["/index.html"], within=world.soon())
        assert world.purged() == ()

    def test_unknown_distribution_is_not_found(self, world: CdnWorld) -> None:
        """An id that the vendor does not have is a matter of configuration."""
        with pytest.raises(NotFound) as caught:
            world.unknown.status(within=world.soon())
        assert world.unknown.distribution in caught.value.where
        with pytest.raises(NotFound):
            world.unknown.purge(["/index.html"], within=world.soon())
