"""What a mirror lacks, or has otherwise, is said in words to act on; what is not known is never taken for equal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from defib.mirror.settings import EVERYTHING, CiName, DeployKey, Unknown, Visibility
from defib.mirror.settings_compared import differences
from defib.mirror.settings_difference import Difference, Kind
from tests.mirror.settings_stage import HOOK, KEY, PARTS, SOURCE, only


def test_equal_settings_do_not_differ() -> None:
    """Nothing is said of what is alike, whenever it was asked."""
    later = replace(SOURCE, asked=datetime(2026, 2, 1, tzinfo=UTC))
    assert differences(SOURCE, later) == ()


@pytest.mark.parametrize(("field", "part"), PARTS)
@pytest.mark.parametrize("sides", ["source", "mirror", "both"])
def test_unknown_part_is_said_and_never_equal(field: str, part: str, sides: str) -> None:
    """A part that could not be read on either side is unknown, with the reason; also where neither could be read."""
    blind = replace(SOURCE, **{field: Unknown("HTTP 403: no")})  # type: ignore[arg-type]
    found = differences(
        blind if sides in {"source", "both"} else SOURCE,
        blind if sides in {"mirror", "both"} else SOURCE,
    )
    assert [(each.kind, each.part) for each in found] == [(Kind.UNKNOWN, part)]
    assert "HTTP 403: no" in found[0].words


def test_default_branch_of_the_mirror_is_another() -> None:
    """Both are named, and where to change it."""
    found = only(SOURCE, replace(SOURCE, default_branch="master"))
    assert (found.kind, found.part) == (Kind.OTHERWISE, "default branch")
    assert found.words == "it is master at the mirror and main at the source: make it the same there"


def test_archived_sides_are_told() -> None:
    """G7: an archived mirror takes no push, and an archived source is no longer worked on; each is said, also together."""
    gone = replace(SOURCE, archived=True)
    assert "the mirror is archived" in only(SOURCE, gone).words
    assert "the source is archived" in only(gone, SOURCE).words
    assert len(differences(gone, gone)) == 2


def test_renamed_side_is_told() -> None:
    """G7: the new name, and what to correct."""
    found = only(replace(SOURCE, moved_to="pulse/new"), SOURCE)
    assert (found.part, found.name) == ("project", "pulse/trading")
    assert "the source is now pulse/new" in found.words


def test_mirror_that_everybody_may_read() -> None:
    """A private source with a public mirror is a leak."""
    assert "the mirror is public, the source private" in only(SOURCE, replace(SOURCE, visibility=Visibility.PUBLIC)).words


class TestDeployKeys:
    """Machines that are let in."""

    def test_missing_key_is_named_with_its_fingerprint(self) -> None:
        """So that the right one is added."""
        found = only(SOURCE, replace(SOURCE, deploy_keys=()))
        assert (found.kind, found.name) == (Kind.MISSING, "builder")
        assert "SHA256:abc" in found.words

    def test_key_under_another_title_is_the_same_key(self) -> None:
        """What opens the door counts, not its label."""
        assert differences(SOURCE, replace(SOURCE, deploy_keys=(replace(KEY, title="Builder (old)"),))) == ()

    def test_another_key_under_the_same_title_is_another(self) -> None:
        """A key that was replaced at the source alone is missing."""
        assert only(SOURCE, replace(SOURCE, deploy_keys=(replace(KEY, fingerprint="SHA256:xyz"),))).kind is Kind.MISSING

    def test_right_to_write_differs(self) -> None:
        """Both rights are said."""
        found = only(SOURCE, replace(SOURCE, deploy_keys=(replace(KEY, writes=True),)))
        assert found.words == "it may write at the mirror and only read at the source: make it only read there"

    def test_key_that_writes_to_the_mirror_alone_is_told(self) -> None:
        """Somebody who may write to the mirror and not to the source can change what a disaster is recovered from."""
        extra = DeployKey("who", "", writes=True)
        found = only(SOURCE, replace(SOURCE, deploy_keys=(KEY, extra, replace(extra, title="reader", writes=False))))
        assert (found.kind, found.name) == (Kind.EXTRA, "who")


class TestCiNames:
    """What CI is given, by name."""

    def test_missing_names(self) -> None:
        """Each is named with its scope."""
        source = replace(SOURCE, secrets=(CiName("TOKEN", "production"),))
        assert only(source, SOURCE).name == "TOKEN (production)"
        assert only(SOURCE, replace(SOURCE, variables=())).kind is Kind.MISSING

    def test_secret_that_the_mirror_shows(self) -> None:
        """A secret that is an ordinary variable at the mirror stands in its logs; the other way round is no harm."""
        shown = replace(SOURCE, secrets=(), variables=(CiName("REGION"), CiName("TOKEN")))
        assert "shows its value in logs" in only(SOURCE, shown).words
        hidden = replace(SOURCE, secrets=(CiName("REGION"), CiName("TOKEN")), variables=())
        assert differences(SOURCE, hidden) == ()

    def test_name_that_may_stand_among_the_unknown(self) -> None:
        """A secret that is missing may be a variable, where those are not known: the doubt is said."""
        blind = replace(SOURCE, secrets=(), variables=Unknown("no"))
        missing, unknown = differences(SOURCE, blind)
        assert (missing.kind, unknown.kind) == (Kind.MISSING, Kind.UNKNOWN)
        assert "which are not known: no" in missing.words

    def test_spelling_counts_at_gitlab_alone(self) -> None:
        """GitHub keeps names in capitals."""
        small = replace(SOURCE, secrets=(CiName("token"),), vendor="gitlab")
        assert differences(SOURCE, small) == ()
        assert only(replace(SOURCE, vendor="gitlab"), small).kind is Kind.MISSING


class TestWebhooks:
    """Who is told."""

    def test_missing_webhook(self) -> None:
        """It is to be added with its secret; one that is switched off is not missed."""
        assert "add it there for push, tag, with its secret" in only(SOURCE, replace(SOURCE, webhooks=())).words
        off = replace(SOURCE, webhooks=(replace(HOOK, active=False),))
        assert differences(off, replace(SOURCE, webhooks=())) == ()

    def test_webhook_is_otherwise(self) -> None:
        """Switched off, unverified, or not told of an event."""
        for change, words in (
            ({"active": False}, "switched off at the mirror"),
            ({"verifies_tls": False}, "does not verify its certificate"),
            ({"events": ("push",)}, "does not call it for tag"),
        ):
            assert words in only(SOURCE, replace(SOURCE, webhooks=(replace(HOOK, **change),))).words

    def test_events_of_one_vendor_are_not_invented_at_another(self) -> None:
        """What only one vendor has is for people to look at; who is told of everything is told of those too."""
        starred = replace(SOURCE, webhooks=(replace(HOOK, events=("github:star", "push")),))
        found = only(starred, SOURCE)
        assert (found.kind, "github:star" in found.words) == (Kind.INCOMPARABLE, True)
        assert differences(starred, replace(SOURCE, webhooks=(replace(HOOK, events=(EVERYTHING,)),))) == ()
        assert only(replace(SOURCE, webhooks=(replace(HOOK, events=(EVERYTHING,)),)), SOURCE).kind is Kind.INCOMPARABLE

    def test_two_webhooks_of_one_url_are_one(self) -> None:
        """Without their secret parts they look alike, and together they are called for the events of both."""
        halves = (replace(HOOK, events=("push",)), replace(HOOK, events=("tag",)))
        assert differences(SOURCE, replace(SOURCE, webhooks=halves)) == ()


def test_difference_as_text() -> None:
    """Part, name and words, in one line."""
    assert str(Difference(Kind.MISSING, "webhooks", "https://a", "add it")) == "webhooks 'https://a': add it"
    assert str(Difference(Kind.OTHERWISE, "archived", "", "unarchive it")) == "archived: unarchive it"
