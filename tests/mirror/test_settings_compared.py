"""What a mirror lacks, or has otherwise, is said in words to act on; what is not known is never taken for equal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from defib.mirror.settings import EVERYTHING, CiName, DeployKey, RepositorySettings, Unknown, Visibility
from defib.mirror.settings_compared import differences
from defib.mirror.settings_difference import Difference, Kind
from tests.mirror.settings_stage import HOOK, KEY, MAIN, PARTS, SOURCE


def only(source: RepositorySettings, mirror: RepositorySettings) -> Difference:
    """The one difference that there is."""
    found = differences(source, mirror)
    assert len(found) == 1, found
    return found[0]


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


class TestProtections:
    """Branches that may not be rewritten."""

    def test_unprotected_branch_is_missing(self) -> None:
        """What it is to be protected against is said."""
        found = only(SOURCE, replace(SOURCE, protections=()))
        assert (found.kind, found.name) == (Kind.MISSING, "main")
        assert found.words.endswith("against force pushes and deletion and changes without a review")

    def test_wider_pattern_protects(self) -> None:
        """A branch is protected where a pattern takes it in, and not where that pattern leaves it out."""
        wide = replace(MAIN, pattern="ma*")
        assert differences(SOURCE, replace(SOURCE, protections=(wide,))) == ()
        holed = replace(wide, except_for=("main",))
        found = differences(SOURCE, replace(SOURCE, protections=(holed,)))
        assert [(each.kind, each.name) for each in found] == [(Kind.MISSING, "main"), (Kind.EXTRA, "ma*")]

    @pytest.mark.parametrize(
        ("pattern", "vendor", "name", "covered"),
        [
            ("*", "github", "a/b", True),
            ("*", "gitlab", "release/*", True),
            ("release/*", "github", "release/1", True),
            ("release/*", "github", "release/1/a", False),
            ("release/*", "gitlab", "release/1/a", True),
            ("release/**/*", "github", "release/1/a", True),
            ("release/**/*", "github", "release/1", True),
            ("rel*", "gitlab", "release/*", True),
            ("rel*", "github", "release/*", False),
            ("refs/heads/*", "github", "main", False),
            ("r.lease", "gitlab", "release", False),
        ],
    )
    def test_pattern_takes_in_what_its_vendor_says(self, pattern: str, vendor: str, name: str, covered: bool) -> None:
        """A branch that the mirror's pattern only seems to take in is not protected."""
        source = replace(SOURCE, vendor=vendor, protections=(replace(MAIN, pattern=name),))
        mirror = replace(source, protections=(replace(MAIN, pattern=pattern),))
        assert covered is not any(each.kind is Kind.MISSING for each in differences(source, mirror))

    def test_branch_that_the_mirror_alone_protects(self) -> None:
        """It may refuse what the source takes; one that the source protects by a wider pattern is none."""
        found = only(replace(SOURCE, protections=()), SOURCE)
        assert (found.kind, found.name) == (Kind.EXTRA, "main")
        wide = replace(SOURCE, protections=(replace(MAIN, pattern="*"),))
        assert only(wide, SOURCE).kind is Kind.MISSING

    @pytest.mark.parametrize("rule", ["force_push", "deletion"])
    def test_looser_and_stricter_rules_are_told_apart(self, rule: str) -> None:
        """What the mirror allows too much is to be forbidden; what it forbids too much may stop the mirroring."""
        loose = replace(SOURCE, protections=(replace(MAIN, **{rule: True}),))  # type: ignore[arg-type]
        assert "forbid it at the mirror" in only(SOURCE, loose).words
        assert "may refuse a push" in only(loose, SOURCE).words

    def test_reviews_differ(self) -> None:
        """A mirror that asks for reviews may refuse the push of a mirror."""
        free = replace(SOURCE, protections=(replace(MAIN, reviews=False),))
        assert "takes changes without a review" in only(SOURCE, free).words
        assert "may refuse a push" in only(free, SOURCE).words

    def test_reviews_that_a_vendor_does_not_tell_are_not_compared(self) -> None:
        """Unknown is not equal, on either side or both."""
        untold = replace(SOURCE, protections=(replace(MAIN, reviews=None),))
        for source, mirror in ((SOURCE, untold), (untold, SOURCE), (untold, untold)):
            assert only(source, mirror).kind is Kind.INCOMPARABLE

    def test_who_may_push_is_compared_within_one_vendor(self) -> None:
        """Between vendors the words do not translate, and that is said."""
        others = replace(SOURCE, protections=(replace(MAIN, pushers=("Maintainers",)),))
        assert only(SOURCE, others).kind is Kind.OTHERWISE
        found = only(SOURCE, replace(others, vendor="gitlab"))
        assert found.kind is Kind.INCOMPARABLE
        assert "pull requests only at the source, Maintainers at the mirror" in found.words

    def test_patterns_mean_other_branches_elsewhere(self) -> None:
        """The star of GitLab takes in slashes; the star alone means every branch at both."""
        pattern = replace(SOURCE, protections=(replace(MAIN, pattern="release/*"),))
        assert differences(pattern, pattern) == ()
        assert "takes in slashes" in only(pattern, replace(pattern, vendor="gitlab")).words
        every = replace(SOURCE, protections=(replace(MAIN, pattern="*"),))
        assert differences(every, replace(every, vendor="gitlab")) == ()

    def test_exceptions_differ(self) -> None:
        """A pattern that leaves out other branches is another rule."""
        holed = replace(SOURCE, protections=(replace(MAIN, pattern="*", except_for=("tmp/*",)),))
        found = only(holed, replace(SOURCE, protections=(replace(MAIN, pattern="*"),)))
        assert "tmp/* at the source, nobody or nothing at the mirror" in found.words


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
