"""Steps that mirror: all are asked, the source is taken in, what is new is sent, what is lost is archived, all is compared.

They share the copies of one run. Nothing of that is in the journal but what was asked, intended, answered and seen: a run
that is taken up again asks everybody anew, and what was sent before is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from defib import copyentries
from defib.errors import DefibError, EvidenceBroken, InputError, Interrupted, Refused
from defib.mirror import lag
from defib.mirror.copies import Copy, Mirrors, going, rejections, together
from defib.mirror.port import LOCAL, Listing, Mirrored, Sent, compared
from defib.mirror.problems import must_be_well
from defib.objectives import Mode
from defib.run import Run, Step

_SHOWN = 3
_MOST_SUBMODULES = 20


def mirrors_of(run: Run) -> Mirrors:
    """The repositories of the site; :class:`InputError` where it has none."""
    if run.outside.mirrors is None:
        expected = "git: in its file"
        raise InputError(f"the site {run.site.site} has nothing to mirror", where=f"{run.site.site}.yaml", expected=expected)
    return run.outside.mirrors


def copies_of(run: Run) -> tuple[Copy, ...]:
    """Every repository of the site, of which nothing is known yet but what an earlier run wrote down."""
    mirrors = mirrors_of(run)
    sources = mirrors.sources.now()
    for each in mirrors.repositories:
        if sources[each.name] != each.source:  # it was promoted between the opening of the site and the lease
            raise Refused(f"{each.name} is now taken from {sources[each.name]}", seen=each.source, then="run it again")
    return tuple(_copy(each, mirrors.known_at(each.name)) for each in mirrors.repositories)


def _copy(of: Mirrored, known_at: Path) -> Copy:
    """What an earlier run wrote of it and nobody can read is told, left alone, and keeps no ref from going."""
    try:
        return Copy(of, lag.read_known(known_at))
    except EvidenceBroken as error:
        copy = Copy(of, remembered=False)
        copy.trouble("", str(error))
        return copy


def ask_everybody(step: Step, copies: Sequence[Copy]) -> None:
    """Every remote of every repository, at the same time; who does not answer is a problem of that mirror alone."""
    _each(copies, lambda copy: _ask(step, copy))
    for name, remote in mirrors_of(step.run).sources.elsewhere().items():
        step.note(f"{name} is taken from {remote}, to which it was promoted, and not from where the site file says")
    for copy in copies:
        if copy.stopped:
            step.note(f"{copy.of.name}: {copy.stopped}", warning=True)


def _ask(step: Step, copy: Copy) -> None:
    copy.listings = copy.of.ask(within=step.within)
    copy.looked = step.clock.now()
    for place, listing in copy.listings.items():
        if listing.problem and place != copy.of.source:
            copy.trouble(place, listing.problem)
    source = copy.listings[copy.of.source]
    if source.problem:
        copy.stop(f"its source {copy.of.source} cannot be read: {source.problem}")
    elif not _has_branches(source.refs) and any(_has_branches(each.refs) for each in copy.listings.values()):
        had = max(len(each.refs) for each in copy.listings.values())
        copy.stop(
            f"its source {copy.of.source} has been emptied: it has no branch any more, and elsewhere there are {had} refs"
        )


def _each(copies: Sequence[Copy], work: Callable[[Copy], None]) -> None:
    """Do it for every repository; what goes wrong with one stops that one alone."""

    def one(copy: Copy) -> None:
        try:
            work(copy)
        except Interrupted:
            raise
        except DefibError as error:
            copy.stop(str(error))

    together(one, copies)


def _has_branches(refs: Mapping[str, str]) -> bool:
    return any(ref.startswith("refs/heads/") for ref in refs)


def take_in(step: Step, copies: Sequence[Copy]) -> None:
    """Bring what the sources have into the local stores."""
    taken = [copy for copy in copies if not copy.stopped]
    _each(taken, lambda copy: _take_in(step, copy))
    for copy in taken:
        if copy.stopped:
            step.note(f"{copy.of.name}: {copy.stopped}", warning=True)


def _plain(url: str) -> str:
    return url.rstrip("/").removesuffix(".git").lower()


def _take_in(step: Step, copy: Copy) -> None:
    there = copy.listings[copy.of.source].refs
    taken = copy.of.take_in(there, within=step.within, dry=step.run.mode is Mode.PLAN)
    if taken.problem:
        copy.stop(f"its source {copy.of.source} cannot be taken in: {taken.problem}")
        return
    copy.left_out = {ref: there[ref] for ref in taken.left_out}
    for why in dict.fromkeys(taken.left_out.values()):
        refs = [ref for ref, each in taken.left_out.items() if each == why]
        more = f" and {len(refs) - _SHOWN} more" if len(refs) > _SHOWN else ""
        copy.trouble(copy.of.source, f"{', '.join(refs[:_SHOWN])}{more} cannot be taken in: {why}")
    copy.source = copy.of.taken_in(within=step.within)
    branch = f"refs/heads/{copy.of.branch}"
    if copy.source and branch not in copy.wanted and branch not in copy.listings[LOCAL].refs:
        copy.trouble("", f"its source has no branch {copy.of.branch}, which the site file says that it is built from")
    copy.given_up = copy.of.given_up(within=step.within)
    for text in copy.of.bring_large(within=step.within) if step.run.mode is not Mode.PLAN else ():
        copy.trouble(copy.of.source, text)


def _waiting(
    step: Step, copy: Copy, place: str, source: Mapping[str, str], there: Mapping[str, str]
) -> dict[str, datetime | None]:
    before = {**copy.known.waiting.get(place, {}), **copy.waiting.get(place, {})}
    missing = lag.lacking(source, there, copy.given_up)
    new = [source[ref] for ref in missing if ref in source and ref not in before]
    dated = new and not any(ref in copy.left_out for ref in missing)  # when those were made, nobody here can tell
    made = copy.of.first_made(new, tuple(there.values()), within=step.within) if dated else None
    return lag.waiting_since(missing, before, copy.known.looked.get(place), copy.looked or step.clock.now(), made)


def send_what_is_new(step: Step, copies: Sequence[Copy]) -> None:
    """Push to every place what it lacks, without force, so that nothing is lost; what that leaves open is weighed.

    Meanwhile it is found out since when it was lacking, and what else is needed: neither holds up a push.
    """
    dry = step.run.mode is Mode.PLAN
    orders = [(copy, place, tuple(_differing(copy, place))) for copy, place in going(copies)]
    for copy, place, refs in orders if not dry else ():
        _intend(step, copy, place, refs)
    taken = [copy for copy in copies if copy.source is not None]
    sends = [partial(_send, step, *order, dry=dry) for order in orders]
    sent = together(lambda work: work(), [*sends, *(partial(_look_around, step, copy) for copy in taken)])[: len(orders)]
    for (copy, place, refs), told in zip(orders, sent, strict=True):
        copy.kept[place] = told.kept
        _told(step, copy, place, told, "would be" if dry else "were")
        if refs and not dry:
            _answered(step, copy, place, told)
    _tell_of_submodules(step, copies)


def send_once_more(step: Step, copy: Copy, place: str) -> None:
    """Push again what a place did not take before it followed: a branch may stand in the way of one below its name."""
    refs = tuple(copy.rejected.get(place, ()))
    if not refs:
        return
    _intend(step, copy, place, refs)
    told = copy.of.send(place, refs, within=step.within)
    _told(step, copy, place, told, "were")
    _answered(step, copy, place, told)


def _intend(step: Step, copy: Copy, place: str, refs: Sequence[str]) -> None:
    if refs and place != LOCAL:
        there, source = copy.listings[place].refs, copy.source or {}
        moves = tuple(f"{ref} {there.get(ref, 'none')} {source[ref]}" for ref in refs)
        step.record(copyentries.RefsIntended(step.name, copy.of.name, place, moves))
        copy.touched.add(place)


def _answered(step: Step, copy: Copy, place: str, told: Sent) -> None:
    if place != LOCAL:
        step.record(copyentries.RefsSent(step.name, copy.of.name, place, told.taken, told.rejected, told.problem))


def _look_around(step: Step, copy: Copy) -> Sent:
    """What is missing at the mirrors waits from here on; and which submodules are needed."""
    try:
        for place in compared(copy.of):
            if not copy.listings[place].problem:
                copy.waiting[place] = _waiting(step, copy, place, copy.wanted, copy.listings[place].refs)
                copy.was[place] = lag.behind(copy.waiting[place], step.clock.now())
        copy.submodules = copy.of.submodules(within=step.within)
    except Interrupted:
        raise
    except DefibError as error:
        copy.trouble("", str(error))
    return Sent()


def _tell_of_submodules(step: Step, copies: Sequence[Copy]) -> None:
    known = {_plain(url) for copy in copies for url in copy.of.urls}
    for copy in copies:
        for url in copy.submodules[:_MOST_SUBMODULES]:
            if _plain(url) not in known and not url.startswith("."):
                step.note(f"{copy.of.name} needs the submodule {url}, which is not mirrored", warning=True)


def _send(step: Step, copy: Copy, place: str, refs: Sequence[str], *, dry: bool) -> Sent:
    """Large files first: a host may take no ref whose large files it lacks."""
    for text in () if dry else copy.of.send_large(place, again=bool(refs), within=step.within):
        copy.trouble(place, text)
    return copy.of.send(place, refs, dry=dry, within=step.within)


def _differing(copy: Copy, place: str) -> Iterator[str]:
    there, source = copy.listings[place].refs, copy.source or {}
    if there != source:
        yield from (ref for ref, commit in source.items() if there.get(ref) != commit)


def _told(step: Step, copy: Copy, place: str, told: Sent, verb: str) -> None:
    if told.problem:
        copy.trouble(place, told.problem)
    copy.rejected[place] = dict(told.rejected)
    if told.taken and place != LOCAL:
        step.note(f"{copy.of.name}: {len(told.taken)} refs {verb} sent to {place}")


def keep_bundles(step: Step, copies: Sequence[Copy]) -> None:
    """What the local copies hold goes into their bundles; each store is examined where that is due.

    Meanwhile whoever was pushed to is asked what it has now: after the last push, and without holding up anything.
    """

    def keep(copy: Copy) -> None:
        try:
            copy.bundle = copy.of.keep_bundle(within=step.within)
            wrong = copy.of.examine(within=step.within)
        except DefibError as error:
            wrong = str(error)
        if wrong:
            copy.trouble(LOCAL, wrong)

    asks = [partial(_ask_again, step, copy) for copy in copies]
    together(lambda work: work(), [*asks, *(partial(keep, copy) for copy in copies)])
    for copy in copies:
        if copy.bundle:
            step.note(f"{copy.of.name}: {copy.bundle}")


def _ask_again(step: Step, copy: Copy) -> None:
    touched = [place for place in compared(copy.of) if place in copy.touched or place == LOCAL]
    try:
        copy.again = copy.of.ask(*touched, within=step.within) if touched else {}
    except Interrupted:
        raise
    except DefibError as error:
        copy.again = {place: Listing(problem=str(error)) for place in touched}


def compare(step: Step, copies: Sequence[Copy]) -> None:
    """Compare ref by ref, by everybody's own answers after the last push; whatever is not as it must be, fails the run."""
    _each(copies, lambda copy: _compare(step, copy))
    for copy in copies:
        for place in compared(copy.of):
            problems = tuple(copy.problems.get("", ())) or ("it was not compared",)
            unknown = copyentries.MirrorSeen(copy.of.name, copy.of.source, place, 0, 0, None, None, problems)
            step.record(copy.seen.setdefault(place, unknown))
        if copy.remembered:
            lag.write_known(mirrors_of(step.run).known_at(copy.of.name), _known(copy, step.clock.now()))
    must_be_well(step, copies)


def _compare(step: Step, copy: Copy) -> None:
    now = {**copy.listings, **copy.again}
    rejections(copy)
    source = copy.wanted if copy.source is not None else copy.of.taken_in(within=step.within)
    for place in compared(copy.of):
        listing = now.get(place) or Listing(problem=copy.stopped or "it was not asked")
        if listing.problem:
            copy.trouble(place, listing.problem)
        told = listing.refs
        equal = len(source) if told == source else sum(told.get(ref) == commit for ref, commit in source.items())
        lag_now = None
        if not listing.problem and copy.source is not None:
            copy.waiting[place] = _waiting(step, copy, place, source, told)
            lag_now = lag.behind(copy.waiting[place], step.clock.now())
            if wrong := sorted(set(copy.waiting[place]) - copy.held_back):
                copy.trouble(place, f"{len(wrong)} refs are not as at {copy.of.source}: {', '.join(wrong[:_SHOWN])}")
        problems = (*copy.problems.get("", ()), *copy.problems.get(place, ()))
        was, name = copy.was.get(place), copy.of.name
        seen = copyentries.MirrorSeen(name, copy.of.source, place, len(source), equal, was, lag_now, problems)
        past = (*copy.known.past, lag.Looked(step.clock.now(), place, seen.lag))
        copy.seen[place] = replace(seen, worst=lag.worst(past, place, step.clock.now() - lag.KEPT))


def _known(copy: Copy, now: datetime) -> lag.Known:
    """What the next run is to know. What could not be looked at goes on waiting."""
    waiting = {**copy.known.waiting, **copy.waiting}
    looks = tuple(lag.Looked(now, place, seen.lag) for place, seen in copy.seen.items())
    past = tuple(look for look in copy.known.past if now - look.at < lag.KEPT)
    seen = [place for place, each in copy.seen.items() if each.behind is not None or place in copy.waiting]
    seen += [copy.of.source] if copy.source is not None else []  # it may be a mirror one day
    looked = {**copy.known.looked, **{place: copy.looked for place in seen if copy.looked is not None}}
    return lag.Known(looked, {place: refs for place, refs in waiting.items() if refs}, (*past, *looks))
