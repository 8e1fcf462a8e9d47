"""The places that users may be sent to, as the vendors' APIs tell of them: names, certificates, accounts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from defib.clock import Deadline
from defib.errors import ProviderError
from defib.platforms import how_to_attach
from defib.ports import Attachment, EdgeStatus
from defib.ready.check import Check, Question, State, lasting, worst
from defib.ready.scene import Scene
from defib.sites.vendors import CdnOfSite, HostOfSite


def questions(scene: Scene) -> Iterator[Question]:
    """Each CDN; at each host its account, and each public name."""
    for cdn in scene.site.cdns:
        yield Question("alias", f"{scene.site.steered.name} at {cdn.name}", partial(_answers_for, scene, cdn))
    for host in scene.site.hosts:
        yield Question("quota", host.name, partial(_may_serve, scene, host))
        for name in dict.fromkeys(record.name for record in host.records):
            yield Question("attachment", f"{name} at {host.name}", partial(_attached, scene, host, name))


def covers(listed: str, name: str) -> bool:
    """Whether a name that a CDN lists, perhaps a wildcard, is `name` or stands for it."""
    if listed.startswith("*."):
        return name.partition(".")[2] == listed[2:]
    return listed == name


def _answers_for(scene: Scene, cdn: CdnOfSite, within: Deadline) -> Iterator[Check]:
    """C14: a standby that does not list the name, because another distribution holds it."""
    status = scene.outside.cdns[cdn.name].status(within=within)
    name, about = scene.site.steered.name, f"{scene.site.steered.name} at {cdn.name}"
    if not any(covers(listed, name) for listed in status.names):
        yield _not_listed(scene, cdn, status, within)
        return
    if not status.enabled:
        yield Check("alias", about, State.FAIL, "it lists the name, but is disabled", "enable it")
    elif not status.deployed:
        yield Check("alias", about, State.WARN, "it is still deploying its last change", "ask again in a few minutes")
    else:
        yield Check("alias", about, State.OK, "it lists the name, is enabled and deployed")
    if status.uncovered_methods:
        text = f"its own failover between origins leaves out {', '.join(status.uncovered_methods)}"
        yield Check("alias", about, State.WARN, text)


def _not_listed(scene: Scene, cdn: CdnOfSite, status: EdgeStatus, within: Deadline) -> Check:
    name, about = scene.site.steered.name, f"{scene.site.steered.name} at {cdn.name}"
    claims = scene.claims.get(cdn.name)
    try:
        holders = claims.holders(name, within=within) if claims else ()
    except ProviderError as error:
        text = f"it would not answer for the name; whether another holds it could not be told: {error.what}"
        return Check("alias", about, State.FAIL, text, "add the name there")
    listed = f"it lists {', '.join(status.names)}" if status.names else "it lists no name"
    if holders:
        text = f"{listed}; the name is held by {', '.join(holders)}, so adding it would be refused (CNAMEAlreadyExists)"
        return Check("alias", about, State.FAIL, text, "take the name from there (AssociateAlias), then add it here")
    return Check("alias", about, State.FAIL, f"it would not answer for the name: {listed}", "add the name there")


def _may_serve(scene: Scene, host: HostOfSite, within: Deadline) -> Iterator[Check]:
    quota = scene.outside.hosts[host.name].quota(within=within)
    state = State.FAIL if quota.suspended else State.UNKNOWN if quota.suspended is None else State.OK
    text = quota.details.removeprefix("unknown: ") or (
        "the account is suspended" if quota.suspended else "the account may serve"
    )
    yield Check("quota", host.name, state, text, "settle it with the vendor" if quota.suspended else "")


def _attached(scene: Scene, host: HostOfSite, name: str, within: Deadline) -> Iterator[Check]:
    about, told = f"{name} at {host.name}", scene.outside.hosts[host.name].attachment(name, within=within)
    if not told.ready:
        yield Check("attachment", about, State.FAIL, _missing(told), how_to_attach(scene.site.site, host))
        return
    state, text = State.OK, "attached and verified"
    if told.certificate_until is not None:
        ends, words = lasting(told.certificate_until, scene.clock.now())
        state, text = worst((state, ends)), f"{text}, its certificate {words}"
    yield Check("attachment", about, state, text, "" if state is State.OK else "see why its certificate is not renewed")


def _missing(told: Attachment) -> str:
    words = "attached, but not verified" if told.attached else "not attached"
    if told.attached and told.verified:
        words = "attached and verified"
    return f"{words}: {told.problem}" if told.problem and told.problem != words else words
