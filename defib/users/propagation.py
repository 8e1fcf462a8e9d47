"""Watching the answers move: every authoritative server, and enough resolvers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from defib import entries
from defib.changes import left_out
from defib.clock import Deadline
from defib.errors import BudgetSpent, ProviderError, StepFailed
from defib.plan import Plan
from defib.ports import Answer, Answers, DnsZone, RecordKey, RecordSet
from defib.run import Step
from defib.sites.site import Site
from defib.sites.vendors import CloudflareZone, FailoverSwitch
from defib.users.looking import look_at_users
from defib.users.ways import Lead, Way, answered_as_written

_ROUND = timedelta(seconds=2)
"""For the questions of one round, all asked at once; a server that is slower is asked again in the next."""

_ASK_WITHIN = timedelta(seconds=5)
"""For the question to a vendor how a record set stands that was not changed."""

Question = tuple[str, Collection[frozenset[str]], Callable[[Deadline], Sequence[Answer]]]
"""A name, what is right of it, and who is asked."""


@dataclass(frozen=True)
class Moved:
    """Which servers give the wanted answers; which give others, and what they say; and which say nothing, and why.

    `not_of` names, for each name, those that did not give what is wanted of it.
    """

    right: tuple[str, ...]
    wrong: Mapping[str, str]
    silent: Mapping[str, str]
    not_of: Mapping[str, Collection[str]]
    over_https: tuple[str, ...] = ()

    @property
    def asked(self) -> int:
        """How many they are."""
        return len(self.right) + len(self.wrong) + len(self.silent)

    def have(self, servers: Collection[str], name: str) -> bool:
        """Whether all of `servers` give the wanted answers of one name."""
        asked = {*self.right, *self.wrong, *self.silent}
        return asked.issuperset(servers) and not {*servers}.intersection(self.not_of.get(name, ()))


_NOBODY = Moved((), {}, {}, {})
"""What comes of asking nobody."""


class _Memory:
    """What name servers said last: one that fell silent after an old answer may still have it.

    Those of a provider that the plan leaves out have it until they are heard to give the new one.
    """

    def __init__(self, unchanged: Iterable[str]) -> None:
        self._old = dict.fromkeys(unchanged, "not changed, as its provider could not be asked")

    def hear(self, moved: Moved) -> None:
        """Take note of a round."""
        self._old.update(moved.wrong)
        for server in moved.right:
            self._old.pop(server, None)

    @property
    def old(self) -> Mapping[str, str]:
        """Those whose last word was an old answer, with that answer."""
        return self._old


def watch_answers(step: Step, way: Way, plan: Plan, *, old_is_dead: bool) -> entries.AnswersMoved:
    """Wait until every authoritative server and enough resolvers send users on `way`.

    Users are looked at meanwhile, so that the moment when they are served is seen. With `old_is_dead` that begins when the
    observers' own resolvers have moved the page, whatever else is moved with it: a look at a place that hangs would only
    make the next one late. For the same reason those are waited for, too, until the old answer's TTL is over; whoever keeps
    it longer is named, not waited for.

    A name server that gives an old answer is waited for to the end of the budget. One that gives none at all sends nobody
    to what failed: it is waited for as long as old answers may be kept, at most half of the budget, and named. So a name
    server that is dead, or port 53 that is closed here, costs time and no recovery; then the resolvers' word is enough.

    An alias, a flattened or a proxied name is answered with addresses that nobody can foretell: of those no server is asked,
    and the looks at users decide.
    """
    leads, told_otherwise = _comparable(step, way, plan)
    of_resolvers = tuple(lead for lead in leads if lead.key.name not in told_otherwise)
    page_is_told = any(lead.key.name == step.site.page.name for lead in of_resolvers)
    rules = step.site.verification
    own = {observer.resolver for observer in step.site.observers}
    kept = longest_ttl(way, plan)
    expires = Deadline.after(step.clock, kept + rules.interval)
    patience = Deadline.after(step.clock, min(kept, step.within.remaining() / 2) + rules.interval)
    memory, waiting = _Memory(_unchanged(step)), ""
    while leads or memory.old:
        resolvers = _ask(step, _to_resolvers(step, of_resolvers)) if of_resolvers else _NOBODY
        moved_here = resolvers.have(own, step.site.page.name) or not page_is_told
        if not old_is_dead or moved_here or not moves_the_page(step.site, plan):
            look_at_users(step)  # before the name servers are asked: one that is slow must not make this late
        authoritative = _ask(step, _to_servers(step, leads))
        memory.hear(authoritative)
        at = step.clock.now()
        own_moved = own <= set(resolvers.right) or expires.expired()
        enough = not of_resolvers or (len(resolvers.right) >= rules.resolvers_moved and own_moved)
        if enough and not memory.old and (not authoritative.silent or patience.expired()):
            return _moved(step, at, authoritative, resolvers)
        waiting = _tell(step, authoritative, resolvers, waiting)
        _wait_or_name(step, rules.interval, memory.old, authoritative, resolvers)
    return _moved(step, step.clock.now(), _NOBODY, _NOBODY)


def _moved(step: Step, at: datetime, authoritative: Moved, resolvers: Moved) -> entries.AnswersMoved:
    """Write down who gives the new answers, who does not, and what that leaves open."""
    if resolvers.over_https:
        step.note(f"port 53 did not answer, so these were asked over HTTPS: {', '.join(resolvers.over_https)}")
    if authoritative.silent:
        names = ", ".join(_said(authoritative.silent))
        step.note(f"no answer, so nobody can tell what these name servers hold: {names}", warning=True)
    silent = _said({**authoritative.silent, **resolvers.silent})
    moved = entries.AnswersMoved(
        at, len(authoritative.right), len(resolvers.right), resolvers.asked, _said(resolvers.wrong), silent
    )
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


def _comparable(step: Step, way: Way, plan: Plan) -> tuple[tuple[Lead, ...], frozenset[str]]:
    """What servers must answer on this way, with the provider whose servers must; the rest is told.

    The names that come with it are those which another provider answers with addresses that nobody can foretell: of them
    a resolver may say either.
    """
    after = {(change.vendor, record.key): record.after for change in plan.changes for record in change.records}
    found: dict[tuple[RecordKey, str], Lead] = {}
    left_out: list[tuple[RecordKey, str]] = []
    for config, zone in zip(step.site.dns, step.run.outside.zones, strict=True):
        if isinstance(config, FailoverSwitch):
            continue
        leads = list(way.at(config.provider, config.zone))
        rest = [lead for lead in leads if (config.provider, lead.key) not in after]
        if rest and isinstance(config, CloudflareZone):  # there a record set may be proxied, of which the file says nothing
            after |= {(config.provider, key): record for key, record in _standing(step, zone, rest).items()}
            leads = [lead for lead in leads if (config.provider, lead.key) in after]
            left_out += [(lead.key, config.provider) for lead in rest if lead not in leads]
        for lead in leads:
            told = replace(lead, key=replace(lead.key, set_identifier=""), at=config.provider)
            if answered_as_written(lead, after.get((config.provider, lead.key)), config.zone):
                found[told.key, told.at] = told
            else:
                left_out.append((lead.key, config.provider))
    if left_out:
        names = ", ".join(f"{key} at {provider}" for key, provider in left_out)
        step.note(f"answered with addresses that are not compared, but looked at: {names}")
    elsewhere = {(key.name, provider) for key, provider in left_out}
    told_otherwise = {key.name for key, at in found if any(name == key.name and other != at for name, other in elsewhere)}
    return tuple(found.values()), frozenset(told_otherwise)


def _unchanged(step: Step) -> Iterator[str]:
    """The name servers of the providers that the plan leaves out."""
    left = {(each.vendor, each.zone) for each in left_out(step.run.journal.records)}
    for zone in step.site.dns:
        if not isinstance(zone, FailoverSwitch) and (zone.provider, zone.zone) in left:
            yield from (server.name for server in zone.servers)


def _standing(step: Step, zone: DnsZone, leads: Sequence[Lead]) -> Mapping[RecordKey, RecordSet | None]:
    """How record sets stand that the plan does not change; nothing of them where the vendor cannot be asked."""
    keys = [lead.key for lead in leads]
    try:
        return dict(zip(keys, zone.read(keys, within=step.within.sooner(_ASK_WITHIN)), strict=True))
    except ProviderError as error:
        step.note(f"{zone.vendor} could not be asked how its record sets stand: {error}", warning=True)
        return {}


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
    """Ask everybody everything, all at once; a server is right when all its answers are."""
    wrong: dict[str, str] = {}
    silent: dict[str, str] = {}
    not_of: defaultdict[str, set[str]] = defaultdict(set)
    servers: dict[str, str] = {}
    asked, limit = tuple(questions), step.within.sooner(_ROUND)
    with ThreadPoolExecutor(max(len(asked), 1), "defib-answers") as pool:
        answered = tuple(pool.map(lambda each: each[2](limit), asked))
    for (name, wanted, _), answers in zip(asked, answered, strict=True):
        for answer in answers:
            servers[answer.server] = answer.via
            if answer.values is None:
                silent.setdefault(answer.server, answer.problem or "no answer")
            elif frozenset(answer.values) not in wanted:
                wrong.setdefault(answer.server, answer.problem or ", ".join(answer.values) or "nothing")
            else:
                continue
            not_of[name].add(answer.server)
    if not servers:
        raise StepFailed("there is no server to ask")
    # Both in the order of the servers, whatever name one of them was late with: so the same is told once.
    wrong = {server: wrong[server] for server in servers if server in wrong}
    silent = {server: silent[server] for server in servers if server in silent and server not in wrong}
    right = tuple(server for server in servers if server not in wrong and server not in silent)
    return Moved(right, wrong, silent, not_of, tuple(server for server, via in servers.items() if via == "https"))


def _wait_or_name(step: Step, interval: timedelta, old: Mapping[str, str], authoritative: Moved, resolvers: Moved) -> None:
    if step.within.remaining() > interval * 2:
        step.wait(interval)
        return
    silent = {**authoritative.silent, **resolvers.silent}
    spoke = {**old, **resolvers.wrong}
    parts = {
        "these servers keep the old answer": _said(spoke),
        "these give no answer": _said({server: why for server, why in silent.items() if server not in spoke}),
    }
    raise BudgetSpent("; ".join(f"{what}: {', '.join(servers)}" for what, servers in parts.items() if servers))


def _tell(step: Step, authoritative: Moved, resolvers: Moved, before: str) -> str:
    """Say what is being waited for, once for each change of it."""
    names = ", ".join(each for moved in (authoritative, resolvers) for each in (*moved.wrong, *moved.silent))
    enough = step.site.verification.resolvers_moved
    text = f"moved: name servers {_part(authoritative)}, resolvers {_part(resolvers)} ({enough} suffice); not yet: {names}"
    if text != before:
        step.note(text)
    return text


def _part(moved: Moved) -> str:
    return f"{len(moved.right)} of {moved.asked}"


def _said(servers: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{server} ({says})" for server, says in servers.items())
