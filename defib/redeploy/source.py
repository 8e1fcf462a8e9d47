"""Which commit a site is built from when its hosts are gone, and from whom it is taken. Pure: offers in, a choice out.

What decides, in this order (for the words see :mod:`defib.redeploy.offer`):

1. The line. A remote whose tip carries the deployed commit goes before the bundle, the bundle that carries it before a
   remote that is behind. A tip of another line (a force-push) is refused, and so is one that nobody can place.
2. Within that, ancestry: a tip that descends from another one is newer.
3. Between tips of which neither descends from the other, the order of the site file, and a warning.

Dates never decide: whoever can push can write any date into a commit. They only measure what is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.errors import Refused
from defib.objectives import Measure
from defib.redeploy.offer import Deployed, Offer, Standing, Tip, Trouble

SKEW = timedelta(minutes=5)
"""A commit dated further than this in the future has no age."""


@dataclass(frozen=True)
class Rejected:
    """Who is refused, and why."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@dataclass(frozen=True)
class Choice:
    """The commit to build, whom it is taken from, and what that means.

    `alike` are the others that offer the same commit. `behind` is how much older it is than the newest commit that is known
    to descend from it, deployed or not: nothing where it carries what users had and nobody is known to hold more, None
    where that cannot be told.
    """

    source: str
    commit: str
    committed: datetime | None
    behind: timedelta | None
    alike: tuple[str, ...] = ()
    refused: tuple[Rejected, ...] = ()
    warnings: tuple[str, ...] = ()

    def age(self, now: datetime) -> timedelta | None:
        """How old the commit is; None where its date cannot be read or lies in the future."""
        if self.committed is None or self.committed > now + SKEW:
            return None
        return max(now - self.committed, timedelta(0))

    def measure(self, rpo: timedelta) -> Measure:
        """What is lost, against the objective."""
        why = "" if self.behind is not None else "how far the commit is behind what users had cannot be told"
        return Measure(rpo, self.behind, why)


@dataclass(frozen=True)
class _Standing:
    """Somebody who has a tip to offer."""

    name: str
    tip: Tip


@dataclass(frozen=True)
class _Answers:
    """Everybody's answers, and what is known of what users had."""

    offers: tuple[Offer, ...]
    bundle: Offer | None
    deployed: Deployed | None

    @property
    def everybody(self) -> tuple[Offer, ...]:
        return (*self.offers, self.bundle) if self.bundle else self.offers

    @property
    def anchor(self) -> Tip | None:
        """What the bundle holds."""
        return self.bundle.stands if self.bundle else None


def choose(offers: Sequence[Offer], bundle: Offer | None, deployed: Deployed | None, *, insist_on: str = "") -> Choice:
    """The commit to build; `offers` stand in the order of the site file.

    Without `deployed` nobody knows what users had. The bundle's tip then stands for it, and among the remotes that carry
    that, what most of them hold is taken, with a warning; remotes at odds are refused.

    `insist_on` is the full id of one of the commits that were offered or last seen: a person's word goes before all that.
    :class:`Refused` names everybody and why.
    """
    answers = _Answers(tuple(offers), bundle, deployed)
    if insist_on:
        return _insisted(answers, insist_on)
    if deployed is None:
        return _without_record(answers)
    return _by_record(answers, deployed)


def _insisted(answers: _Answers, commit: str) -> Choice:
    for offer in answers.everybody:
        if offer.tip is not None and offer.tip.commit == commit:
            proved = answers.deployed is not None and answers.deployed.standing(offer.tip) is Standing.CARRIES
            warning = f"{commit} is taken because a person insists on it, not because it was proved"
            return _chosen(answers, _Standing(offer.remote, offer.tip), [] if proved else [warning])
    raise _refusal(answers, f"nobody offers {commit}")


def _by_record(answers: _Answers, deployed: Deployed) -> Choice:
    """The first of: a remote that carries what users had, the bundle that does, a remote or a bundle behind it."""
    for standing, among in (
        (Standing.CARRIES, answers.offers),
        (Standing.CARRIES, answers.everybody),
        (Standing.BEHIND, answers.everybody),
    ):
        fitting = [each for each in _standing(among) if deployed.standing(each.tip) is standing]
        if fitting:
            best = _newest(fitting)[0]
            lacks = [f"{best.name} lacks what users had: {deployed.tip}"] if standing is Standing.BEHIND else []
            return _chosen(answers, best, [*lacks, *_of_the_rest(best, fitting)])
    raise _refusal(answers, "there is no source to build from")


def _without_record(answers: _Answers) -> Choice:
    """Where nobody knows what users had: what the bundle vouches for, and most remotes hold."""
    warning = "which commit users had is not known: nothing could be checked against it"
    anchor = answers.anchor
    fitting = [each for each in _standing(answers.offers) if anchor is None or each.tip.has(anchor.commit)]
    if not fitting and answers.bundle:
        fitting = _standing([answers.bundle])
    if not fitting:
        raise _refusal(answers, "there is no source to build from")
    votes = {each.name: sum(other.tip.has(each.tip.commit) for other in fitting) for each in fitting}
    newest = _newest([each for each in fitting if votes[each.name] == max(votes.values())])
    if len({each.tip.commit for each in newest}) > 1:
        raise _refusal(answers, "the remotes are at odds, and which commit users had is not known")
    return _chosen(answers, newest[0], [warning, *_of_the_rest(newest[0], fitting)])


def _standing(offers: Sequence[Offer]) -> list[_Standing]:
    return [_Standing(offer.remote, offer.stands) for offer in offers if offer.stands]


def _newest(fitting: Sequence[_Standing]) -> list[_Standing]:
    """Those from which no other one descends, in their order."""
    return [each for each in fitting if not any(other.tip.is_newer(each.tip) for other in fitting)]


def _of_the_rest(best: _Standing, fitting: Sequence[_Standing]) -> list[str]:
    """What people should know of those that could have been taken and were not."""
    return [_told(best, other) for other in fitting if other.tip.commit != best.tip.commit]


def _told(best: _Standing, other: _Standing) -> str:
    if best.tip.is_newer(other.tip):
        return f"{other.name} ({other.tip}) is behind {best.name}"
    if other.tip.is_newer(best.tip):
        return f"{other.name} ({other.tip}) is ahead of {best.name}, and is not taken"
    return f"{other.name} ({other.tip}) and {best.name} went different ways; {best.name} is taken"


def _chosen(answers: _Answers, best: _Standing, warnings: Sequence[str]) -> Choice:
    ahead = [each for each in _standing([answers.bundle]) if each.tip.is_newer(best.tip)] if answers.bundle else []
    alike = [each.name for each in _standing(answers.everybody) if each.tip.commit == best.tip.commit]
    doubts = [f"{offer.remote}: {offer.problem}" for offer in answers.everybody if offer.stands and offer.problem]
    return Choice(
        best.name,
        best.tip.commit,
        best.tip.committed,
        _behind(answers, best.tip),
        tuple(name for name in alike if name != best.name),
        tuple(rejected for rejected in _rejected(answers) if rejected.name != best.name),
        (*warnings, *(_told(best, each) for each in ahead), *doubts),
    )


def _behind(answers: _Answers, tip: Tip) -> timedelta | None:
    """How much older `tip` is than what is known to descend from it; dates that contradict the ancestry tell nothing."""
    if answers.deployed is None:
        return None
    standing = answers.deployed.standing(tip)
    newer = [offer.tip for offer in answers.everybody if offer.tip and offer.tip.is_newer(tip)]
    if standing is Standing.CARRIES and not newer:
        return timedelta(0)
    if standing is Standing.BEHIND:
        newer.append(answers.deployed.tip)
    dates = [each.committed for each in newer if each.committed]
    if tip.committed is None or not dates or max(dates) < tip.committed:
        return None
    return max(dates) - tip.committed


def _rejected(answers: _Answers) -> list[Rejected]:
    """Everybody who is refused, in order, each with the reason."""
    reasons = ((offer.remote, _why_not(answers, offer)) for offer in answers.everybody)
    return [Rejected(name, why) for name, why in reasons if why]


def _why_not(answers: _Answers, offer: Offer) -> str:
    if offer.stands is None:
        return f"{offer.problem or offer.trouble or Trouble.EMPTY}{f' (last seen at {offer.tip})' if offer.tip else ''}"
    if answers.deployed is None:
        return _why_not_by_bundle(offer.stands, answers.anchor)
    users_had = f"{answers.deployed.tip.commit}, which users had"
    return {
        Standing.APART: f"{offer.stands} does not descend from {users_had}: its branch was force-pushed",
        Standing.UNPROVEN: f"{offer.stands} does not descend from {users_had}, nor from a commit deployed before that",
    }.get(answers.deployed.standing(offer.stands), "")


def _why_not_by_bundle(tip: Tip, anchor: Tip | None) -> str:
    if anchor is None or tip.has(anchor.commit):
        return ""
    if anchor.is_newer(tip):
        return f"{tip} is behind the bundle"
    return f"{tip} does not descend from {anchor.commit}, which the bundle holds: its branch was force-pushed"


def _refusal(answers: _Answers, what: str) -> Refused:
    everybody = [Rejected(offer.remote, _why_not(answers, offer) or f"offers {offer.tip}") for offer in answers.everybody]
    return Refused(
        what,
        expected="a commit that descends from the one that users had",
        seen="; ".join(map(str, everybody)) or "no remote and no bundle",
        then="bring one of them back, or insist on one of these commits: --commit with its full id",
    )
