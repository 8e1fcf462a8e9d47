"""What every :class:`defib.mirror.settings.HostedRepository` keeps, whatever vendor is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from defib.clock import Clock, Deadline, SystemClock
from defib.errors import Denied, NotFound, Unavailable
from defib.mirror.settings import CiName, DeployKey, HostedRepository, RepositorySettings, Unknown, Visibility
from defib.mirror.settings_compared import differences
from defib.mirror.settings_file import read_settings, write_settings

BUILDER = DeployKey("builder", "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8", writes=False)
PARTS = ("protections", "deploy_keys", "secrets", "variables", "webhooks")


@dataclass(frozen=True)
class RepositoryWorld:
    """One repository as :mod:`defib.lab.forge.furniture` has it.

    `hide` lets the token no longer see the part of that field, `rename` gives the repository another name, `archive`
    archives it, `open_up` lets everybody read it, `keep_keys` gives it so many deploy keys. `denied` is the same with a
    token that is not taken, `unknown` one that does not exist. `never_told` are words that may stand nowhere.
    """

    repository: HostedRepository
    hide: Callable[[str], None]
    rename: Callable[[str], None]
    archive: Callable[[], None]
    open_up: Callable[[], None]
    keep_keys: Callable[[int], None]
    denied: HostedRepository
    unknown: HostedRepository
    never_told: tuple[str, ...]
    clock: Clock = field(default_factory=SystemClock)

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def asked(self) -> RepositorySettings:
        """What the repository tells."""
        return self.repository.settings(within=self.soon())


class HostedRepositoryContract:
    """Subclass with a fixture `world`."""

    @pytest.fixture
    def world(self) -> Iterator[RepositoryWorld]:
        """The repository under test; each adapter's class gives its own."""
        raise NotImplementedError

    def test_tells_every_part(self, world: RepositoryWorld) -> None:
        """Everything is known to a token that may read it, and says whose it is and of when."""
        before = world.clock.now()
        told = world.asked()
        assert (told.vendor, told.project) == (world.repository.vendor, world.repository.project)
        assert before <= told.asked <= world.clock.now()
        assert (told.default_branch, told.archived, told.visibility) == ("main", False, Visibility.PRIVATE)
        assert not [part for part in PARTS if isinstance(getattr(told, part), Unknown)]
        assert told.moved_to == ""

    def test_protected_branches_are_told_with_their_rules(self, world: RepositoryWorld) -> None:
        """A branch and a pattern, and what they are protected against."""
        protections = world.asked().protections
        assert not isinstance(protections, Unknown)
        assert [each.pattern for each in protections] == ["main", "release/*"]
        assert not any(each.force_push or each.deletion for each in protections)
        assert all(each.pushers for each in protections)

    def test_deploy_keys_are_told_by_fingerprint(self, world: RepositoryWorld) -> None:
        """Title, fingerprint as `ssh-keygen` writes it, and whether it may write."""
        keys = world.asked().deploy_keys
        assert not isinstance(keys, Unknown)
        assert [(key.title, key.writes) for key in keys] == [("builder", False), ("release robot", True)]
        assert keys[0].fingerprint == BUILDER.fingerprint

    def test_ci_is_told_by_name(self, world: RepositoryWorld) -> None:
        """Names of secrets and of variables, apart."""
        told = world.asked()
        assert told.secrets == (CiName("AWS_DEPLOY_ROLE"), CiName("STATUSPAGE_TOKEN"))
        assert told.variables == (CiName("FLUTTER_CHANNEL"),)

    def test_webhooks_are_told_without_their_secrets(self, world: RepositoryWorld) -> None:
        """URL without whatever may be a secret, events in common words."""
        hooks = world.asked().webhooks
        assert not isinstance(hooks, Unknown)
        chat, build = hooks
        assert chat.url == "https://chat.pulse-trading.test/services/[redacted]/[redacted]/[redacted]"
        assert build.url == "https://ci.pulse-trading.test/build"
        assert (chat.events, build.events) == (("release",), ("pull request", "push", "tag"))
        assert all(each.active and each.verifies_tls for each in hooks)

    def test_no_secret_is_told(self, world: RepositoryWorld) -> None:
        """Neither values of variables nor secrets of webhooks nor key material, in any form in which settings are kept."""
        told = world.asked()
        for text in (repr(told), str(told), write_settings(told)):
            assert not [word for word in world.never_told if word in text]

    def test_export_comes_back(self, world: RepositoryWorld) -> None:
        """What was written is what was told, and the same as what is told later."""
        told = world.asked()
        assert read_settings(write_settings(told), "settings.json") == told
        assert not [each for each in differences(told, world.asked()) if each.kind != "incomparable"]

    @pytest.mark.parametrize("part", PARTS)
    def test_part_that_may_not_be_seen_is_unknown(self, world: RepositoryWorld, part: str) -> None:
        """The rest is told all the same, and the reason says what the token needs."""
        whole = world.asked()
        world.hide(part)
        told = world.asked()
        hidden = getattr(told, part)
        assert isinstance(hidden, Unknown)
        assert "token needs" in hidden.reason
        seen = [each for each in PARTS if not isinstance(getattr(told, each), Unknown)]
        assert len(seen) >= len(PARTS) - 2
        assert {each: getattr(whole, each) for each in seen} == {each: getattr(told, each) for each in seen}

    def test_long_lists_are_told_to_their_end(self, world: RepositoryWorld) -> None:
        """More than two pages of deploy keys."""
        world.keep_keys(205)
        keys = world.asked().deploy_keys
        assert not isinstance(keys, Unknown)
        assert len({key.title for key in keys}) == 205

    def test_renamed_repository_is_followed_and_told(self, world: RepositoryWorld) -> None:
        """G7: the settings are those of the repository under its new name, which is said."""
        before = world.asked()
        world.rename("pulse-trading/elsewhere")
        told = world.asked()
        assert (told.moved_to, told.project) == ("pulse-trading/elsewhere", before.project)
        assert replace(told, moved_to="", asked=before.asked) == before

    def test_archived_repository_is_told(self, world: RepositoryWorld) -> None:
        """G7: archived, and still read."""
        world.archive()
        told = world.asked()
        assert told.archived is True
        assert told.default_branch == "main"

    def test_public_repository_is_told(self, world: RepositoryWorld) -> None:
        """Everybody may read it."""
        world.open_up()
        assert world.asked().visibility is Visibility.PUBLIC

    def test_spent_deadline_is_unavailable_at_once(self, world: RepositoryWorld) -> None:
        """A call without time left asks nobody."""
        started = world.clock.monotonic()
        with pytest.raises(Unavailable):
            world.repository.settings(within=world.soon(0))
        assert world.clock.monotonic() - started < timedelta(seconds=5)

    def test_wrong_credentials_are_denied(self, world: RepositoryWorld) -> None:
        """G6: a token that is not taken is no repository without settings."""
        with pytest.raises(Denied):
            world.denied.settings(within=world.soon())

    def test_unknown_repository_is_not_found(self, world: RepositoryWorld) -> None:
        """A name that the vendor does not have is a matter of configuration."""
        with pytest.raises(NotFound) as caught:
            world.unknown.settings(within=world.soon())
        assert world.unknown.project in caught.value.where
