"""What every :class:`defib.ports.Host` keeps, whatever vendor is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from defib.clock import Clock, Deadline, SystemClock
from defib.errors import Conflict, Denied, NotFound, Unavailable
from defib.ports import Host


@dataclass(frozen=True)
class HostWorld:
    """One project with `live` published and `older` to go back to, both built from a commit.

    `held` is attached, verified and certified; `free` is nobody's, and leads to the platform already; `taken` belongs to
    somebody else. `stands` is what is live past the adapter, `names` what is attached, `suspend` stops the project from
    serving, where the vendor's API tells of it (None where it does not). `denied` is the same project with credentials
    that the vendor does not take, `unknown` one that it does not have.
    """

    host: Host
    live: str
    older: str
    held: str
    free: str
    taken: str
    stands: Callable[[], str]
    names: Callable[[], tuple[str, ...]]
    suspend: Callable[[], None] | None
    denied: Host
    unknown: Host
    clock: Clock = field(default_factory=SystemClock)

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def comes_to_stand(self, deployment: str) -> bool:
        """Wait until `deployment` is live; False if it is not within 10 s."""
        deadline = self.soon()
        while (found := self.host.live(within=deadline)) is None or found.id != deployment:
            if deadline.remaining() < timedelta(milliseconds=100):
                return False
            self.clock.sleep(timedelta(milliseconds=20))
        return True


class HostContract:
    """Subclass with a fixture `world`; a class of wrapped hosts does the same."""

    @pytest.fixture
    def world(self) -> Iterator[HostWorld]:
        """The project under test; each adapter's class gives its own."""
        raise NotImplementedError

    def test_tells_what_is_live(self, world: HostWorld) -> None:
        """The published deployment, the commit it was built from, and when the platform took it."""
        found = world.host.live(within=world.soon())
        assert found is not None
        assert found.id == world.live == world.stands()
        assert len(found.commit) == 40
        assert found.created < world.clock.now()

    def test_looking_changes_nothing(self, world: HostWorld) -> None:
        """Two looks see the same."""
        for _ in range(2):
            assert world.host.attachment(world.held, within=world.soon()).ready
            assert not world.host.attachment(world.free, within=world.soon()).attached
            world.host.quota(within=world.soon())
            assert world.stands() == world.live

    def test_name_that_is_ready_is_told_with_its_certificate(self, world: HostWorld) -> None:
        """D14: attached, verified, certified beyond today, under its full name and without a problem."""
        found = world.host.attachment(world.held, within=world.soon())
        assert (found.name, found.attached, found.verified, found.problem) == (world.held, True, True, "")
        assert found.certificate_until is not None
        assert found.certificate_until > world.clock.now() + timedelta(days=1)

    def test_name_is_the_same_in_any_spelling(self, world: HostWorld) -> None:
        """Capitals and the trailing dot do not matter."""
        plain = world.host.attachment(world.held, within=world.soon())
        assert plain == world.host.attachment(world.held.rstrip(".").upper(), within=world.soon())

    def test_name_that_was_never_attached_is_not_ready(self, world: HostWorld) -> None:
        """D14: the platform would not serve it: no certificate, and words that say why."""
        found = world.host.attachment(world.free, within=world.soon())
        assert (found.attached, found.verified, found.certificate_until, found.ready) == (False, False, None, False)
        assert found.problem

    def test_attaches_a_free_name(self, world: HostWorld) -> None:
        """After attaching, the name is there, verified and certified, and so it stays; the others too."""
        before = world.names()
        made = world.host.attach(world.free, within=world.soon())
        assert made.ready
        assert made.certificate_until is not None
        assert made == world.host.attachment(world.free, within=world.soon())
        assert sorted(world.names()) == sorted((*before, world.free.rstrip(".")))

    def test_attaching_is_idempotent(self, world: HostWorld) -> None:
        """What is attached is left as it is."""
        first = world.host.attach(world.free, within=world.soon())
        names = world.names()
        assert first == world.host.attach(world.free, within=world.soon())
        assert world.host.attach(world.held, within=world.soon()).ready
        assert names == world.names()

    def test_name_of_others_conflicts(self, world: HostWorld) -> None:
        """A name that somebody else's project holds is refused in the vendor's words, and nothing is changed."""
        before = world.names()
        with pytest.raises(Conflict) as caught:
            world.host.attach(world.taken, within=world.soon())
        assert caught.value.seen
        assert world.host.project in caught.value.where
        assert before == world.names()

    def test_publishes_an_earlier_deployment(self, world: HostWorld) -> None:
        """The earlier deployment is told, and becomes the live one."""
        told = world.host.publish(world.older, within=world.soon())
        assert told.id == world.older
        assert world.comes_to_stand(world.older)
        assert world.stands() == world.older
        assert world.host.live(within=world.soon()) == told

    def test_publishing_is_idempotent(self, world: HostWorld) -> None:
        """What is live, or about to be, is published again without harm."""
        assert world.host.publish(world.live, within=world.soon()).id == world.live
        assert world.stands() == world.live
        first = world.host.publish(world.older, within=world.soon())
        assert first == world.host.publish(world.older, within=world.soon())
        assert world.comes_to_stand(world.older)

    def test_publishing_can_be_put_back(self, world: HostWorld) -> None:
        """There and back again ends where it began."""
        before = world.host.live(within=world.soon())
        world.host.publish(world.older, within=world.soon())
        assert world.comes_to_stand(world.older)
        world.host.publish(world.live, within=world.soon())
        assert world.comes_to_stand(world.live)
        assert before == world.host.live(within=world.soon())

    def test_deployment_that_is_gone_is_not_found(self, world: HostWorld) -> None:
        """Nothing is published in place of what is not there."""
        with pytest.raises(NotFound):
            world.host.publish("dpl_gone", within=world.soon())
        assert world.stands() == world.live

    def test_quota_is_told_or_said_to_be_unknown(self, world: HostWorld) -> None:
        """A project that serves is not called suspended; one that is, is; where the vendor is silent, that is said."""
        told = world.host.quota(within=world.soon())
        assert not told.suspended
        if world.suspend is None:
            assert told.details.startswith("unknown")
            return
        world.suspend()
        told = world.host.quota(within=world.soon())
        assert told.suspended
        assert told.details

    def test_spent_deadline_is_unavailable_at_once(self, world: HostWorld) -> None:
        """A call without time left neither asks nor writes."""
        started, names = world.clock.monotonic(), world.names()
        for call in (
            lambda: world.host.live(within=world.soon(0)),
            lambda: world.host.attach(world.free, within=world.soon(0)),
            lambda: world.host.publish(world.older, within=world.soon(0)),
        ):
            with pytest.raises(Unavailable):
                call()
        assert world.clock.monotonic() - started < timedelta(seconds=5)
        assert (names, world.live) == (world.names(), world.stands())

    def test_wrong_credentials_are_denied(self, world: HostWorld) -> None:
        """D11: who may not, learns so by reading and by writing, and nothing is changed."""
        names = world.names()
        for call in (
            lambda: world.denied.live(within=world.soon()),
            lambda: world.denied.attachment(world.held, within=world.soon()),
            lambda: world.denied.quota(within=world.soon()),
            lambda: world.denied.attach(world.free, within=world.soon()),
            lambda: world.denied.publish(world.older, within=world.soon()),
        ):
            with pytest.raises(Denied):
                call()
        assert (names, world.live) == (world.names(), world.stands())

    def test_unknown_project_is_not_found(self, world: HostWorld) -> None:
        """An id that the vendor does not have is a matter of configuration, not a name that is not attached."""
        for call in (
            lambda: world.unknown.live(within=world.soon()),
            lambda: world.unknown.attachment(world.held, within=world.soon()),
            lambda: world.unknown.attach(world.free, within=world.soon()),
            lambda: world.unknown.publish(world.older, within=world.soon()),
        ):
            with pytest.raises(NotFound) as caught:
                call()
            assert world.unknown.project in caught.value.where
