"""What must be true of a backup host beyond what it serves: names, certificates, account, and what its page calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from defib.clock import Deadline
from defib.errors import ProviderError, Refused
from defib.platforms import how_to_attach
from defib.ports import Aim, Build, Expect, Health, Observation
from defib.run import Step
from defib.sites.vendors import HostOfSite
from defib.users.looking import insist, judge
from defib.users.standby import prove_standby
from defib.users.trust import SeenCertificate
from defib.users.ways import Way

ABOUT_TO_EXPIRE = timedelta(days=1)
"""A certificate that ends sooner may end while users depend on it."""

SHOULD_RENEW = timedelta(days=14)
"""A certificate that ends sooner should have been renewed by now: platforms do so about 30 days before."""

_ASK_WITHIN = timedelta(seconds=5)
_OVER_IPV6_WITHIN = timedelta(seconds=2)
"""Less: where this machine has no IPv6 users wait for nothing."""
_APIS_WITHIN = timedelta(seconds=3)
_AT_THE_EDGE = "cloudflare"
_ANY_LABEL = "defib-looks-for-any-name"


def prove_backup(step: Step, way: Way, host: HostOfSite, expected: Build | None) -> Build | None:
    """Prove that `host` can take the users, and give the build it serves; :class:`Refused` says why it cannot."""
    prove_the_place(step, way, host)
    build = prove_standby(step, way, expected, "users had")
    tell_apis(step)
    return build


def prove_the_place(step: Step, way: Way, host: HostOfSite) -> None:
    """Prove that users of every name would be let in, whatever is served there: attached, certified, not suspended."""
    _ask_the_platform(step, way, host)
    for name in way.names:
        _certificates(step, way, host, name)


def refuse_behind_the_same_proxy(step: Step, way: Way) -> None:
    """A name that Cloudflare proxies cannot lead to a backup that is behind Cloudflare itself, in somebody else's account.

    Cloudflare answers 1014 then
    (https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/error-1014/).
    525 and 526 cannot follow where the backup's certificate was proved: the proxy asks for the same name.
    """
    seen = step.look(way.name, Aim(step.site.page.url, connect_to=way.connect_to))
    if behind_cloudflare(seen):
        insist(
            step,
            f"{way.name} is behind Cloudflare itself: a name that Cloudflare proxies would be answered with 1014",
            then="make the record DNS only first, or --force",
        )


def behind_cloudflare(seen: Sequence[Observation]) -> bool:
    """Whether looks at a place came back through Cloudflare."""
    return any(each.server.lower() == _AT_THE_EDGE for each in seen)


def _ask_the_platform(step: Step, way: Way, host: HostOfSite) -> None:
    """What the platform's own API says: a refusal where it knows of a hindrance, a warning where it does not answer."""
    api = step.run.outside.hosts[host.name]
    try:
        quota = api.quota(within=step.within.sooner(_ASK_WITHIN))
        attachments = [api.attachment(name, within=step.within.sooner(_ASK_WITHIN)) for name in way.names]
    except ProviderError as error:
        step.note(f"{host.name} could not be asked about the site: {error}", warning=True)
        return
    if quota.suspended:
        raise Refused(f"{host.name} has suspended the site", where=host.project, seen=quota.details)
    for each in attachments:
        if not each.ready:
            what = "verified" if each.attached else "attached"
            what = "certified" if each.attached and each.verified else what
            insist(
                step,
                f"{each.name} is not {what} at {host.name}{f': {each.problem}' if each.problem else ''}",
                then=f"{how_to_attach(step.site.site, host)}; or --force where it is seen to be served",
            )


def _certificates(step: Step, way: Way, host: HostOfSite, name: str) -> None:
    """The certificate that users of `name` would be shown, at each address, must be valid for it, and stay so."""
    wildcard = name.startswith("*.")
    asked = name.replace("*", _ANY_LABEL, 1)  # nobody asks for a name with an asterisk
    url = f"{urlsplit(step.site.page.url)._replace(netloc=_netloc(step, asked), path='/').geturl()}"
    for place in way.places(name):
        limit = _OVER_IPV6_WITHIN if ":" in place else _ASK_WITHIN
        for seen in step.run.outside.certificates.look(url, place, within=step.within.sooner(limit)):
            if wildcard:
                _judge_wildcard(step, host, name, seen)
            elif _perhaps_no_ipv6(seen):
                text = f"{name} was not seen at {host.name} ({seen.address}), perhaps for want of IPv6 here: {seen.problem}"
                step.note(text, warning=True)
            else:
                _judge(step, host, name, seen)
    policy = step.run.outside.caa.policy(name, within=step.within.sooner(_ASK_WITHIN))
    if not policy.allows(host.issuer):
        why = policy.problem or f"the CAA records at {policy.found_at} do not let {host.issuer} issue"
        step.note(f"{host.name} may not be able to renew the certificate of {name}: {why}", warning=True)


def _judge_wildcard(step: Step, host: HostOfSite, name: str, seen: SeenCertificate) -> None:
    """Told and no more: the names that users have may be attached there one by one."""
    if seen.health is not Health.GOOD:
        text = f"not every name of {name} has a certificate at {host.name} ({seen.address}): {seen.problem}"
        step.note(f"{text}; have those that users ask for attached there", warning=True)


def _judge(step: Step, host: HostOfSite, name: str, seen: SeenCertificate) -> None:
    where = f"{host.name} ({seen.address})"
    if seen.health is Health.UNKNOWN:
        insist(step, f"nobody can tell which certificate {where} shows for {name}: {seen.problem}", then="--force")
    elif not seen.lasts(step.clock.now(), ABOUT_TO_EXPIRE):
        wrong = seen.problem or f"it ends at {seen.not_after}"
        insist(step, f"users of {name} would get a certificate error at {where}: {wrong}", then="defib ready; or --force")
    elif not seen.lasts(step.clock.now(), SHOULD_RENEW):
        step.note(f"the certificate of {name} at {where} ends at {seen.not_after}", warning=True)


def _netloc(step: Step, name: str) -> str:
    port = urlsplit(step.site.page.url).port
    return name.rstrip(".") + (f":{port}" if port else "")


def tell_apis(step: Step) -> None:
    """The page calls them from users' browsers; without them they would have a page that does nothing.

    Only told, and users wait meanwhile: what hangs has its time together, not each for itself.
    """
    limit = Deadline.after(step.clock, _APIS_WITHIN)
    for api in step.site.page.apis:
        if limit.expired():
            step.note(f"no time was left to look whether {api}, which the page calls, can be reached", warning=True)
            continue
        judged = judge(step.look("apis", Aim(api, expect=Expect.REACHABLE)), step.site.detection.quorum)
        if not judged.is_served():
            step.note(f"{api}, which the page calls, cannot be reached: {judged}", warning=True)


def other_names(step: Step, way: Way) -> Iterator[str]:
    """The names beside the page's own that are sent the same way."""
    yield from (name for name in way.names if name != step.site.page.name and not name.startswith("*."))


def verify_other_names(step: Step, way: Way) -> None:
    """Wait until every other name leads its users to a certificate that is valid for it, found as they find it.

    :class:`BudgetSpent` where one is turned down until the step's time is over. What this machine cannot see is told.
    """
    waiting, told = list(other_names(step, way)), set[str]()
    while waiting := [name for name in waiting if _are_turned_away(step, way, name, told)]:
        step.wait(step.site.verification.interval)


def _are_turned_away(step: Step, way: Way, name: str, told: set[str]) -> bool:
    """Whether users of `name` are; what is not good is noted, unless it was `told` before."""
    place = urlsplit(step.site.page.url)._replace(netloc=_netloc(step, name), path="/").geturl()
    seen = step.run.outside.certificates.look(place, within=step.within.sooner(_ASK_WITHIN))
    troubles = [each for each in seen if each.health is not Health.GOOD]
    for text in (_trouble(name, way, each) for each in troubles):
        if text not in told:
            step.note(text, warning=True)
        told.add(text)
    return any(each.health is Health.BAD and not _perhaps_no_ipv6(each) for each in troubles)


def _trouble(name: str, way: Way, seen: SeenCertificate) -> str:
    where = seen.address or way.name
    if seen.health is Health.UNKNOWN:
        return f"nobody can tell whether users of {name} are served at {where}: {seen.problem}"
    return f"users of {name} are not served at {where}: {seen.problem}"


def _perhaps_no_ipv6(seen: SeenCertificate) -> bool:
    """Whether it was not seen at all, at an address that this machine may have no way to."""
    return ":" in seen.address and seen.not_after is None
