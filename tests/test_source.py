"""Which commit is built, and from whom: by the line of commits, never by dates that anybody can write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defib.errors import Refused
from defib.objectives import Verdict
from defib.redeploy.offer import BUNDLE, Deployed, Offer, Standing, Tip, Trouble
from defib.redeploy.source import Choice, Rejected, choose

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RPO = timedelta(hours=1)

PARENTS = {
    "c1": [],
    "c2": ["c1"],
    "c3": ["c2"],
    "c4": ["c3"],
    "c5": ["c4"],
    "left": ["c3"],
    "right": ["c3"],
    "readme": [],
    "fork": ["c1"],
}
"""A line of five commits, two ways on from the third, one from the first, and a branch that was replaced by a README."""


def line(commit: str) -> frozenset[str]:
    """The commit and its ancestors."""
    return frozenset({commit}).union(*(line(parent) for parent in PARENTS[commit]))


def tip(commit: str, at: timedelta = timedelta(0)) -> Tip:
    """A commit dated `at` after noon."""
    return Tip(commit, NOON + at, line(commit))


def offer(remote: str, commit: str, at: timedelta = timedelta(0)) -> Offer:
    """A remote that holds it."""
    return Offer(remote, tip(commit, at))


def dead(remote: str, seen: Tip | None = None) -> Offer:
    """A remote that does not answer."""
    return Offer(remote, seen, Trouble.UNREACHABLE, "unreachable: connection refused")


def deployed(commit: str, at: timedelta = timedelta(0)) -> Deployed:
    """What users had, known."""
    return Deployed(tip(commit, at))


def gone(earlier: str = "") -> Deployed:
    """What users had, held by nobody any more; `earlier` was deployed before."""
    return Deployed(Tip("lost", NOON + HOUR), held=False, earlier=frozenset({earlier} - {""}))


def test_r1_one_remote_is_dead() -> None:
    """R1: GitHub unreachable, the same commit is taken from GitLab; nothing is lost, and GitHub is named."""
    choice = choose([dead("github", tip("c3")), offer("gitlab", "c3")], None, deployed("c3"))
    refused = Rejected("github", f"unreachable: connection refused (last seen at {tip('c3')})")
    assert choice == Choice("gitlab", "c3", NOON, timedelta(0), refused=(refused,))


def test_r2_mirror_is_behind_what_users_had() -> None:
    """R2: the only remote alive lacks 90 minutes: it is taken, the RPO missed, the loss and the age shown."""
    choice = choose([dead("github"), offer("gitlab", "c2")], None, deployed("c3", 1.5 * HOUR))
    measure = choice.measure(RPO)
    assert (choice.source, choice.commit) == ("gitlab", "c2")
    assert (measure.actual, measure.verdict) == (1.5 * HOUR, Verdict.MISSED)
    assert choice.age(NOON + 2 * HOUR) == 2 * HOUR
    assert choice.warnings == (f"gitlab lacks what users had: {tip('c3', 1.5 * HOUR)}",)


def test_r2_mirror_is_behind_what_was_seen_last() -> None:
    """R2: what users had is carried, but the dead remote was seen with more: that is lost, and measured."""
    choice = choose([dead("github", tip("c4", 1.5 * HOUR)), offer("gitlab", "c3")], None, deployed("c3"))
    assert (choice.commit, choice.behind, choice.measure(RPO).verdict) == ("c3", 1.5 * HOUR, Verdict.MISSED)


@pytest.mark.parametrize("pushed", ["readme", "fork"])
def test_r3_forced_push_is_refused_by_name(pushed: str) -> None:
    """R3: a mirror whose branch was force-pushed is refused by name and reason, however new it is; the other is taken."""
    choice = choose([offer("github", pushed, 9 * HOUR), offer("gitlab", "c3")], None, deployed("c3"))
    why = f"{tip(pushed, 9 * HOUR)} does not descend from c3, which users had: its branch was force-pushed"
    assert (choice.source, choice.refused) == ("gitlab", (Rejected("github", why),))


def test_r3_nothing_but_a_forced_push() -> None:
    """R3: where only the force-pushed mirror answers nothing is built, and everybody is named with the reason."""
    with pytest.raises(Refused) as refusal:
        choose([dead("github"), offer("gitlab", "readme")], None, deployed("c3"))
    assert "github: unreachable: connection refused" in refusal.value.seen
    assert f"gitlab: {tip('readme')} does not descend from c3" in refusal.value.seen


def test_newest_by_ancestry() -> None:
    """Of remotes that carry what users had, the one that has most on top of it, wherever it stands in the file."""
    choice = choose([offer("github", "c3"), offer("gitlab", "c5"), offer("third", "c5")], None, deployed("c3"))
    assert (choice.source, choice.commit, choice.alike, choice.refused) == ("gitlab", "c5", ("third",), ())
    assert choice.warnings == (f"github ({tip('c3')}) is behind gitlab",)


@given(st.sampled_from(["c3", "c4", "c5"]), st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_forged_dates_decide_nothing(older: str, one: int, other: int) -> None:
    """Whatever dates are written into commits, a commit that descends from another one is newer."""
    offers = [offer("github", older, timedelta(seconds=one)), offer("gitlab", "c5", timedelta(seconds=other))]
    assert choose(offers, None, deployed("c3")).commit == "c5"


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_divergence_goes_by_the_file(one: int, other: int) -> None:
    """Two remotes that went different ways: the first of the file, whatever their dates; the other one is told."""
    right = offer("gitlab", "right", timedelta(seconds=other))
    choice = choose([offer("github", "left", timedelta(seconds=one)), right], None, deployed("c3"))
    assert (choice.source, choice.behind) == ("github", timedelta(0))
    assert choice.warnings == (f"gitlab ({right.tip}) and github went different ways; github is taken",)


def test_bundle_where_no_remote_answers() -> None:
    """The bundle is the source when every remote is dead, emptied or force-pushed."""
    empty = Offer("gitlab", None, Trouble.EMPTY, "empty: it has no branch and no commit")
    choice = choose([dead("github"), empty, offer("third", "readme")], offer(BUNDLE, "c4"), deployed("c3"))
    assert (choice.source, choice.commit, choice.behind) == (BUNDLE, "c4", timedelta(0))
    assert ["github", "gitlab", "third"] == [rejected.name for rejected in choice.refused]


def test_a_remote_goes_before_the_bundle() -> None:
    """A remote that carries what users had is taken before the bundle; a bundle that holds more is told and measured."""
    choice = choose([offer("github", "c3")], offer(BUNDLE, "c4", HOUR), deployed("c3"))
    assert (choice.source, choice.behind) == ("github", HOUR)
    assert choice.warnings == (f"{BUNDLE} ({tip('c4', HOUR)}) is ahead of github, and is not taken",)


def test_the_bundle_goes_before_a_remote_that_is_behind() -> None:
    """A bundle that carries what users had loses nothing; a remote that lacks it does."""
    choice = choose([offer("github", "c2")], offer(BUNDLE, "c3"), deployed("c3"))
    assert (choice.source, choice.behind) == (BUNDLE, timedelta(0))


def test_nobody_holds_what_users_had() -> None:
    """A tip on top of an earlier deployed commit is of the same line; one that is on top of none is not taken."""
    choice = choose([offer("github", "readme"), offer("gitlab", "c3")], None, gone(earlier="c2"))
    assert (choice.source, choice.behind) == ("gitlab", HOUR)
    assert [rejected.name for rejected in choice.refused] == ["github"]
    with pytest.raises(Refused, match="no source"):
        choose([offer("github", "c3")], None, gone())


def test_insisting() -> None:
    """A person who names a commit gets it, with a warning where nothing proves it, and a refusal where nobody has it."""
    offers = [offer("github", "readme"), offer("gitlab", "c3")]
    choice = choose(offers, None, deployed("c3"), insist_on="readme")
    assert (choice.source, choice.behind, len(choice.warnings)) == ("github", None, 1)
    assert choose(offers, None, deployed("c3"), insist_on="c3").warnings == ()
    with pytest.raises(Refused, match="nobody offers c1"):
        choose(offers, None, deployed("c3"), insist_on="c1")


def test_without_a_record_what_all_hold() -> None:
    """Where nobody knows what users had, what all remotes hold is taken, with warnings; what is lost is unknown."""
    choice = choose([offer("github", "c5"), offer("gitlab", "c4"), dead("third")], None, None)
    assert (choice.source, choice.commit, choice.behind) == ("gitlab", "c4", None)
    assert choice.measure(RPO).verdict is Verdict.UNKNOWN
    assert choice.warnings[1:] == (f"github ({tip('c5')}) is ahead of gitlab, and is not taken",)


def test_without_a_record_most_of_them() -> None:
    """One remote of another line is outvoted, and told; of two at odds none is taken."""
    choice = choose([offer("github", "readme"), offer("gitlab", "c4"), offer("third", "c4")], None, None)
    assert (choice.source, choice.alike) == ("gitlab", ("third",))
    assert "github" in choice.warnings[1]
    with pytest.raises(Refused, match="at odds") as refusal:
        choose([offer("github", "readme"), offer("gitlab", "c4")], None, None)
    assert f"github: offers {tip('readme')}; gitlab: offers {tip('c4')}" == refusal.value.seen


def test_without_a_record_the_bundle_vouches() -> None:
    """A bundle tells which remote was force-pushed, and is itself the source where no remote carries it."""
    choice = choose([offer("github", "readme"), offer("gitlab", "c4")], offer(BUNDLE, "c3"), None)
    assert (choice.source, choice.refused[0].name) == ("gitlab", "github")
    choice = choose([offer("github", "readme"), offer("gitlab", "c2")], offer(BUNDLE, "c3"), None)
    assert (choice.source, [rejected.name for rejected in choice.refused]) == (BUNDLE, ["github", "gitlab"])


def test_nobody_at_all() -> None:
    """No remote and no bundle: refused, with or without a record."""
    for record in (None, deployed("c3")):
        with pytest.raises(Refused, match="there is no source"):
            choose([dead("github")], None, record)


def test_dates_that_cannot_be_are_unknown() -> None:
    """A future date gives no age, and dates that contradict the line give no loss: never a figure that was made up."""
    forged = choose([offer("github", "c2", 100 * HOUR)], None, deployed("c3"))
    assert (forged.age(NOON), forged.behind, forged.measure(RPO).verdict) == (None, None, Verdict.UNKNOWN)
    undated = choose([Offer("github", Tip("c3", None, line("c3")))], None, deployed("c3"))
    assert (undated.age(NOON), undated.behind) == (None, timedelta(0))


@pytest.mark.parametrize(
    ("commit", "expected"),
    [
        ("c3", Standing.CARRIES),
        ("c5", Standing.CARRIES),
        ("c1", Standing.BEHIND),
        ("fork", Standing.APART),
        ("readme", Standing.APART),
    ],
)
def test_standing(commit: str, expected: Standing) -> None:
    """A tip carries what users had, is behind it, or is of another line."""
    assert deployed("c3").standing(tip(commit)) is expected


@st.composite
def histories(draw: st.DrawFn) -> dict[str, frozenset[str]]:
    """Up to eight commits, each with the commits that it holds; later ones descend from any of the earlier ones."""
    found: dict[str, frozenset[str]] = {}
    for number in range(draw(st.integers(2, 8))):
        parents = draw(st.sets(st.sampled_from(sorted(found)), max_size=2)) if found else set()
        found[f"k{number}"] = frozenset({f"k{number}"}).union(*(found[parent] for parent in parents))
    return found


@given(histories(), st.data())
def test_whatever_the_history(history: dict[str, frozenset[str]], data: st.DataObject) -> None:
    """No commit of another line is ever chosen, none that is behind while one carries, none that another remote is ahead of.

    And no date changes any of it.
    """
    commits = st.sampled_from(sorted(history))
    hours = st.integers(-(10**4), 10**4)

    def dated(commit: str) -> Tip:
        return Tip(commit, NOON + data.draw(hours) * HOUR, history[commit])

    held = data.draw(st.lists(st.tuples(commits, st.booleans()), min_size=1, max_size=4))
    users_had, bundled = data.draw(commits), data.draw(st.none() | commits)

    def decide() -> Choice | None:
        record = Deployed(dated(users_had))
        offers = [
            Offer(f"r{number}", dated(commit), None if well else Trouble.DENIED)
            for number, (commit, well) in enumerate(held)
        ]
        try:
            return choose(offers, Offer(BUNDLE, dated(bundled)) if bundled else None, record)
        except Refused:
            return None

    choice = decide()
    again = decide()
    offered = [commit for commit, well in held if well]
    everybody = [*offered, bundled] if bundled else offered
    carrying = [commit for commit in everybody if users_had in history[commit]]
    if choice is None:
        assert not [commit for commit in everybody if commit in carrying or commit in history[users_had]]
        return
    assert again is not None
    assert (choice.source, choice.commit) == (again.source, again.commit)
    assert choice.commit in everybody
    assert users_had in history[choice.commit] or (not carrying and choice.commit in history[users_had])
    remotes = [commit for commit in offered if commit in carrying and commit != choice.commit]
    assert not [commit for commit in remotes if choice.commit in history[commit]]
