"""Branches that the source protects are protected at the mirror, or it is said what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from defib.mirror.settings_compared import differences
from defib.mirror.settings_difference import Kind
from tests.mirror.settings_stage import MAIN, SOURCE, only


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
