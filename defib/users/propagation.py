"""Watching the answers move: every authoritative server, and enough resolvers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from defib import entries
from defib.clock import Deadline
from defib.errors import BudgetSpent, StepFailed
from defib.plan import Plan
from defib.ports import Answer, Answers, RecordKey
from defib.run import Step
from defib.sites.site import Site
from defib.sites.vendors import FailoverSwitch
from defib.users.looking import look_at_users
from defib.users.ways import Lead, Way, answered_as_written

_ROUND = timedelta(seconds=2)
"""For the questions of one round, all asked at once; a server that is slower is asked again in the next."""

Question = tuple[str, Collection[frozenset[str]], Callable[[Deadline], Sequence[Answer]]]
"""A name, what is right of it, and who is asked."""


@dataclass(frozen=True)
class Moved:
    """Which servers give the wanted answers, and which do not, with what they say instead, and of which name."""

    right: tuple[str, ...]
    wrong: Mapping[str, str]
    wrong_of: Mapping[str, Collection[str]]
    over_https: tuple[str, ...] = ()

    @property
    def late(self) -> tuple[str, ...]:
        """Those that do not, each with its answer."""
        return tuple(f"{server} ({says})" for server, says in self.wrong.items())

    def have(self, servers: Collection[str], name: str) -> bool:
        """Whether all of `servers` give the wanted answers of one name."""
        return {*self.right, *self.wrong}.issuperset(servers) and not {*servers}.intersection(self.wrong_of.get(name, ()))


def watch_answers(step: Step, way: Way, plan: Plan, *, old_is_dead: bool) -> entries.AnswersMoved:
    """Wait until every authoritative server and enough resolvers send users on `way`.

    Users are looked at meanwhile, so that the moment when they are served is seen. With `old_is_dead` that begins when the
    observers' own resolvers have moved the page, whatever else is moved with it: a look at a place that hangs would only
    make the next one late. For the same reason those are waited for, too, until the old answer's TTL is over; whoever keeps
    it longer is named, not waited for.

    An alias, a flattened or a proxied name is answered with addresses that nobody can foretell: of those no server is asked,
    and the looks at users decide.
    """
    leads = _comparable(step, way, plan)
    rules = step.site.verification
    own = {observer.resolver for observer in step.site.observers}
    expires = Deadline.after(step.clock, longest_ttl(way, plan) + rules.interval)
    waiting = ""
    while leads:
        resolvers = _ask(step, _to_resolvers(step, leads))
        if not old_is_dead or resolvers.have(own, step.site.page.name) or not moves_the_page(step.site, plan):
            look_at_users(step)  # before the name servers are asked: one that is slow must not make this late
        authoritative = _ask(step, _to_servers(step, leads))
        at = step.clock.now()
        enough = len(resolvers.right) >= rules.resolvers_moved and (own <= set(resolvers.right) or expires.expired())
        if not authoritative.wrong and enough:
            moved = entries.AnswersMoved(
                at, len(authoritative.right), len(resolvers.right), len(step.site.resolvers), resolvers.late
            )
            if resolvers.over_https:
                step.note(f"port 53 did not answer, so these were asked over HTTPS: {', '.join(resolvers.over_https)}")
            step.record(moved)
            return moved
        waiting = _tell(step, authoritative, resolvers, waiting)
        _wait_or_name(step, rules.interval, authoritative, resolvers)
    moved = entries.AnswersMoved(step.clock.now(), 0, 0, 0)
    step.record(moved)
    return moved


def moves_the_page(site: Site, plan: Plan) -> bool:
    """Whether users of the page get another answer by `plan`; if not, what they get changes where they are already."""
    page = site.page.name
    return any(record.key.name == page for change in plan.changes for record in change.records)


def longest_ttl(way: Way, plan: Plan) -> timedelta:
    """How long resolvers may keep the old answers: the longest TTL of what is changed, or of what the site file says."""
    before = (record.before.ttl for change in plan.changes for record in change.records if record.before)
    return max((*before, *(lead.ttl for lead in way.leads)))


def _comparable(step: Step, way: Way, plan: Plan) -> tuple[Lead, ...]:
    """What servers must answer on this way, with the provider whose servers must; the rest is named."""
    after = {(change.vendor, record.key): record.after for change in plan.changes for record in change.records}
    zones = [zone for zone in step.site.dns if not isinstance(zone, FailoverSwitch)]
    found: dict[tuple[RecordKey, str], Lead] = {}
    left_out = []
    for zone in zones:
        for lead in way.at(zone.provider, zone.zone):
            told = replace(lead, key=replace(lead.key, set_identifier=""), at=zone.provider)
            if answered_as_written(lead, after.get((zone.provider, lead.key)), zone.zone):
                found[told.key, told.at] = told
            else:
                left_out.append(f"{lead.key} at {zone.provider}")
    if left_out:
        step.note(f"answered with addresses that are not compared, but looked at: {', '.join(left_out)}")
    return tuple(found.values())


def _to_servers(step: Step, leads: Sequence[Lead]) -> Iterator[Question]:
    """Each record set, of the servers of the provider that holds it so."""
    answers = step.run.outside.answers
    for lead in leads:
        yield lead.key.name, [frozenset(lead.values)], partial(_authoritative, answers, lead)


def _to_resolvers(step: Step, leads: Sequence[Lead]) -> Iterator[Question]:
    """Each name and type once; where providers hold it differently, either is right."""
    answers = step.run.outside.answers
    for key in dict.fromkeys(lead.key for lead in leads):
        yield key.name, {frozenset(lead.values) for lead in leads if lead.key == key}, partial(_resolved, answers, key)


def _authoritative(answers: Answers, lead: Lead, within: Deadline) -> Sequence[Answer]:
    return answers.authoritative(lead.key, within=within, at=lead.at)


def _resolved(answers: Answers, key: RecordKey, within: Deadline) -> Sequence[Answer]:
    return answers.resolvers(key, within=within)


def _ask(step: Step, questions: Iterator[Question]) -> Moved:
    """Ask everybody everything; a server is right when all its answers are."""
    wrong: dict[str, str] = {}
    wrong_of: defaultdict[str, set[str]] = defaultdict(set)
    servers: dict[str, str] = {}
    for name, wanted, question in questions:
        for answer in question(step.within.sooner(_ROUND)):
            servers[answer.server] = answer.via
            if answer.values is None or frozenset(answer.values) not in wanted:
                wrong.setdefault(answer.server, answer.problem or ", ".join(answer.values or ()) or "nothing")
                wrong_of[name].add(answer.server)
    if not servers:
        raise StepFailed("there is no server to ask")
    right = tuple(server for server in servers if server not in wrong)
    return Moved(right, wrong, wrong_of, tuple(server for server, via in servers.items() if via == "https"))


def _wait_or_name(step: Step, interval: timedelta, authoritative: Moved, resolvers: Moved) -> None:
    if step.within.remaining() > interval * 2:
        step.wait(interval)
        return
    late = ", ".join((*authoritative.late, *resolvers.late))
    raise BudgetSpent(f"these servers keep the old answer: {late}")


def _tell(step: Step, authoritative: Moved, resolvers: Moved, before: str) -> str:
    """Say what is being waited for, once for each change of it."""
    names = ", ".join((*authoritative.wrong, *resolvers.wrong))
    enough = step.site.verification.resolvers_moved
    text = f"moved: name servers {_part(authoritative)}, resolvers {_part(resolvers)} ({enough} suffice); not yet: {names}"
    if text != before:
        step.note(text)
    return text


def _part(moved: Moved) -> str:
    return f"{len(moved.right)} of {len(moved.right) + len(moved.wrong)}"
