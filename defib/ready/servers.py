"""Whether name servers, resolvers and observers answer: what a run waits for, and what it sees with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from defib.clock import Deadline
from defib.ports import Answer, RecordKey
from defib.ready.check import Check, Question, State
from defib.ready.scene import Scene
from defib.sites.site import Site
from defib.sites.vendors import DnsZoneConfig, FailoverSwitch
from defib.users.signing import CONSEQUENCE, REMEDY, signing
from defib.users.ways import SWITCH, ways

NETWORK = "network"
"""The finding that makes whatever was not reached our own fault."""


def questions(scene: Scene) -> Iterator[Question]:
    """The servers of each zone at each provider, the resolvers, and the observers."""
    for config in scene.site.dns:
        key = next(_keys(scene.site, config), None)
        if key is not None and not isinstance(config, FailoverSwitch):
            about = f"{config.provider} {config.zone}"
            yield Question("name-servers", about, partial(_authoritative, scene, config, key))
    yield Question("dnssec", "zones that several providers hold", partial(_signed, scene))
    yield Question("resolvers", "the site file", partial(_resolvers, scene))
    yield Question("observers", "the site file", partial(_observers, scene))


def _keys(site: Site, config: DnsZoneConfig) -> Iterator[RecordKey]:
    """What is asked for in this zone: no switch, and nothing that stands in several sets."""
    for way in ways(site):
        for lead in way.at(config.provider, config.zone):
            if lead.key.type != SWITCH:
                yield RecordKey(lead.key.name, lead.key.type)


def _authoritative(scene: Scene, config: DnsZoneConfig, key: RecordKey, within: Deadline) -> Iterator[Check]:
    """A run waits for every one of them, for one that is silent in vain, and cannot tell what that one gives to others."""
    about = f"{config.provider} {config.zone}"
    answers = scene.outside.answers.authoritative(key, within=within, at=config.provider)
    if not answers:
        yield Check("name-servers", about, State.UNKNOWN, "nobody was asked", "name them in the site file")
        return
    silent = [f"{each.server} ({each.problem})" for each in answers if each.values is None]
    said = {each.values for each in answers if each.values is not None}
    if silent:
        text = f"{len(silent)} of {len(answers)} do not answer: {', '.join(silent)}"
        yield Check("name-servers", about, State.FAIL, text, "a run waits for it in vain: repair or remove it")
    elif len(said) > 1:
        text = f"they differ about {key}: {'; '.join(_said(each) for each in answers)}"
        yield Check("name-servers", about, State.FAIL, text, "see why a change does not reach all of them")
    elif strangers := _asked_by_nobody(scene, key, within):
        text = f"for {key} no resolver gives what they give, but {strangers}: users are not answered by them"
        yield Check("name-servers", about, State.FAIL, text, "compare the delegation; a change may also be on its way")
    else:
        yield Check("name-servers", about, State.OK, f"all {len(answers)} answer alike for {key}")


def _signed(scene: Scene, within: Deadline) -> Iterator[Check]:
    """D15: what a run would refuse, as some of its users would get no answer."""
    for told in signing(scene.site, scene.outside.answers, within):
        if not told.agreed:
            text = f"signed at {', '.join(told.signed)} and unsigned at {', '.join(told.unsigned)}: {CONSEQUENCE}"
            yield Check("dnssec", told.zone, State.FAIL, text, REMEDY)
        elif told.silent:
            yield Check("dnssec", told.zone, State.UNKNOWN, f"nobody can tell whether {', '.join(told.silent)} sign it")
        else:
            yield Check("dnssec", told.zone, State.OK, f"{'signed' if told.signed else 'unsigned'} at every server")


def _asked_by_nobody(scene: Scene, key: RecordKey, within: Deadline) -> str:
    """What resolvers say instead, where none of them gives what any name server of the site file gives; "" otherwise.

    Then the zone is held elsewhere by now, and a run would change records that nobody is given. An alias tells nothing:
    its addresses take turns.
    """
    if any(lead.attributes for way in ways(scene.site) for lead in way.leads if lead.key.name == key.name):
        return ""
    ours = {each.values for each in scene.outside.answers.authoritative(key, within=within)}
    theirs = {each.values: each for each in scene.outside.answers.resolvers(key, within=within) if each.values is not None}
    return "" if not theirs or ours & set(theirs) else "; ".join(_said(each) for each in theirs.values())


def _said(answer: Answer) -> str:
    return f"{answer.server}: {', '.join(answer.values or ()) or 'nothing'}"


def _resolvers(scene: Scene, within: Deadline) -> Iterator[Check]:
    needed = scene.site.verification.resolvers_moved
    key = next(key for config in scene.site.dns for key in _keys(scene.site, config))
    answers = scene.outside.answers.resolvers(key, within=within)
    silent = [f"{each.server} ({each.problem})" for each in answers if each.values is None]
    closed = [each.server for each in answers if each.values is not None and each.via == "https"]
    text = f"{len(answers) - len(silent)} of {len(answers)} answer, {needed} are needed"
    if silent:
        text += f"; silent: {', '.join(silent)}"
    if closed:
        text += f"; over HTTPS alone, port 53 is closed: {', '.join(closed)}"
    state = State.FAIL if len(answers) - len(silent) < needed else State.WARN if silent or closed else State.OK
    yield Check(
        "resolvers", "the site file", state, text, "" if state is State.OK else "see whether the network lets DNS out"
    )


def _observers(scene: Scene, within: Deadline) -> Iterator[Check]:
    observers, quorum = scene.outside.observers, scene.site.detection.quorum
    offline = _names(observers.names, observers.online(within=within))
    online = len(observers.names) - len(offline)
    text = f"{online} of {len(observers.names)} are online, {quorum} are needed"
    if offline:
        text += f"; offline: {', '.join(offline)}"
    state = State.FAIL if online < quorum else State.WARN if offline else State.OK
    then = "" if state is State.OK else "nothing can be detected or verified from there: see to its network and resolver"
    yield Check("observers", "the site file", state, text, then)
    if not online:
        text = "no observer reaches even the sites of other people: it is our own network that is down"
        yield Check(NETWORK, "this machine", State.FAIL, text, "check from elsewhere, or see to the network")


def _names(names: Sequence[str], online: Sequence[bool]) -> list[str]:
    return [name for name, is_online in zip(names, online, strict=True) if not is_online]
