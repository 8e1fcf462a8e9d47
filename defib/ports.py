"""The few small protocols between a recovery and the outside, and the values that cross them.

Terminology:

*record set*
    All values of one name and type (at Route 53 also of one set identifier). Values are in presentation format as in a
    zone file; host names are fully qualified with a trailing dot. TTLs are whole seconds at every vendor, and
    ``timedelta`` here.
*compare-and-set*
    A write that happens only if the present value is the one the caller last saw. It raises :class:`Conflict` otherwise
    and has then changed nothing.
*within*
    The deadline of the whole call, connection to last byte. An adapter that cannot answer by then raises
    :class:`Unavailable`. A timed-out write may still have landed: callers read before they try again.

Adapters raise :class:`Unavailable`, :class:`Denied`, :class:`NotFound` and :class:`Conflict` only. They neither retry nor
wait nor journal: :mod:`defib.providers.wrappers` does the first two, the run does the last.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from defib.clock import Deadline


@dataclass(frozen=True, order=True, slots=True)  # slots in these three: a restore holds hundreds of thousands of them
class RecordKey:
    """Which record set: fully qualified name with trailing dot, type, and Route 53's set identifier where there is one."""

    name: str
    type: str
    set_identifier: str = ""

    def __str__(self) -> str:
        suffix = f" ({self.set_identifier})" if self.set_identifier else ""
        return f"{self.name} {self.type}{suffix}"


@dataclass(frozen=True, slots=True)
class RecordSet:
    """One record set as it stands at a vendor.

    `attributes` are what only this vendor knows (weight, alias target, proxied, comment), as sorted pairs, so that an
    undo restores exactly what was there.
    """

    key: RecordKey
    ttl: timedelta
    values: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        extra = "".join(f" {name}={value}" for name, value in self.attributes)
        return f"{self.key} {int(self.ttl.total_seconds())}s {', '.join(self.values)}{extra}"


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One record set before and after; None is absence. A name that users ask is changed in place, never deleted."""

    before: RecordSet | None
    after: RecordSet | None

    @property
    def key(self) -> RecordKey:
        """The key that both sides share."""
        side = self.before or self.after
        assert side is not None, "a change has at least one side"
        return side.key

    def reversed(self) -> RecordChange:
        """The change that undoes this one."""
        return RecordChange(before=self.after, after=self.before)


@dataclass(frozen=True)
class Receipt:
    """A vendor's word that it took a request; `id` asks later whether it is done ("" where nothing is pending)."""

    id: str


class DnsZone(Protocol):
    """One zone at one DNS vendor.

    Before ``replace([CNAME a. → b.])``::

        www.example.org. 60 CNAME a.example.net.
        api.example.org. 60 A     192.0.2.1

    after::

        www.example.org. 60 CNAME b.example.net.
        api.example.org. 60 A     192.0.2.1
    """

    @property
    def vendor(self) -> str:
        """The vendor's name as in site files, such as ``route53``."""
        ...

    @property
    def zone(self) -> str:
        """The zone's id at the vendor, or its name where the vendor has no ids."""
        ...

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """The record sets of `keys` in the same order, None where absent. Idempotent."""
        ...

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Make all `changes` or none, each by compare-and-set; nothing else in the zone is touched.

        Not idempotent: a second call raises :class:`Conflict`, because `before` no longer holds.
        """
        ...

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Whether the vendor says that all its servers answer with the change. Its word, not a proof."""
        ...


@dataclass(frozen=True)
class EdgeStatus:
    """What a CDN says of one of our distributions.

    `names` are the public names it would answer for, fully qualified with a trailing dot; one may be a wildcard
    (``*.example.org.``). `version` changes with every configuration change. `uncovered_methods` are the request methods
    that its own origin failover does not retry (CloudFront: all but GET, HEAD and OPTIONS).
    """

    enabled: bool
    deployed: bool
    names: tuple[str, ...]
    origin: str
    version: str
    uncovered_methods: tuple[str, ...] = ()


class Cdn(Protocol):
    """One of our distributions at one CDN."""

    @property
    def vendor(self) -> str:
        """The vendor's name as in site files, such as ``cloudfront``."""
        ...

    @property
    def distribution(self) -> str:
        """The distribution's (or zone's) id at the vendor."""
        ...

    def status(self, *, within: Deadline) -> EdgeStatus:
        """How the distribution is configured now. Idempotent."""
        ...

    def purge(self, paths: Sequence[str], *, within: Deadline) -> Receipt:
        """Forget the cached copies of `paths` (absolute, such as ``/index.html``). Safe to repeat."""
        ...

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Whether the vendor says that the purge has reached every edge."""
        ...


@dataclass(frozen=True)
class Deployment:
    """One deployment at a hosting platform.

    `commit` is what it was built from, "" where the platform does not know. `created` is when the platform took it.
    """

    id: str
    created: datetime
    commit: str = ""


@dataclass(frozen=True)
class Attachment:
    """Whether a hosting platform would serve a public name, if users came to it.

    `verified` is the platform's word that the name is ours. `certificate_until` is the end of the certificate that it holds
    for the name, None where it has none or does not tell; `problem` then says what it told instead.
    """

    name: str
    attached: bool
    verified: bool
    certificate_until: datetime | None
    problem: str = ""

    @property
    def ready(self) -> bool:
        """Whether, by the platform's own word, users could be sent there."""
        return self.attached and self.verified and not self.problem


@dataclass(frozen=True)
class Quota:
    """Whether the account may serve: `suspended` for non-payment or overuse, `details` for people.

    `suspended` is None where the vendor does not tell.
    """

    suspended: bool | None
    details: str = ""


class Host(Protocol):
    """Our site at one hosting platform."""

    @property
    def vendor(self) -> str:
        """The vendor's name as in site files, such as ``netlify``."""
        ...

    @property
    def project(self) -> str:
        """The project's or site's id at the vendor."""
        ...

    def live(self, *, within: Deadline) -> Deployment | None:
        """What is published now, None where nothing is. Idempotent."""
        ...

    def attachment(self, name: str, *, within: Deadline) -> Attachment:
        """Whether `name` is attached, verified and certified there. Idempotent."""
        ...

    def attach(self, name: str, *, within: Deadline) -> Attachment:
        """Attach `name` where it is not, and ask for its certificate. Idempotent; :class:`Conflict` if others hold it."""
        ...

    def publish(self, deployment: str, *, within: Deadline) -> Deployment:
        """Make an earlier deployment the live one. Idempotent; :class:`NotFound` where it is gone."""
        ...

    def quota(self, *, within: Deadline) -> Quota:
        """Whether the account may serve at all. Idempotent."""
        ...


@dataclass(frozen=True)
class Build:
    """The build a page says it is: its id, and the moment it was built."""

    id: str
    built: datetime


class Expect(StrEnum):
    """How much of the site file a look must find.

    ``page`` is all of it. ``content`` leaves out the headers, which a CDN adds to what an origin serves. ``asset`` is for
    a file that is not the page: it has to arrive whole over valid TLS with status 200, whatever it holds. ``reachable`` is
    for other people's APIs: any answer over valid TLS that is no failure of the server.
    """

    PAGE = "page"
    CONTENT = "content"
    ASSET = "asset"
    REACHABLE = "reachable"


@dataclass(frozen=True)
class Aim:
    """What to look at: a page under its public name, and where to connect.

    With `connect_to` empty the observer resolves the name of `url` as a user does. Otherwise `connect_to` is the address,
    or a host name which the observer resolves, that the connection goes to, while SNI, certificate and ``Host`` stay
    those of `url`. `past_cache` asks in a way that no cache can answer, to judge an origin.
    """

    url: str
    connect_to: str = ""
    past_cache: bool = False
    expect: Expect = Expect.PAGE


class Health(StrEnum):
    """What one look found. `unknown` means that the looker could not tell, not that all is well."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Observation:
    """One look by one observer.

    `at` is when the request was sent: a user who clicked at that moment got this answer. `reason` says in a few words
    what was wrong ("TLS: certificate expired 2 h ago", "HTTP 503", "build marker missing"), "" when good. `server` is what
    the answer's header of that name says.
    """

    observer: str
    at: datetime
    took: timedelta
    health: Health
    reason: str = ""
    address: str = ""
    build: Build | None = None
    server: str = ""


class Observers(Protocol):
    """The vantage points of a site, asked all at once or one by one."""

    @property
    def names(self) -> tuple[str, ...]:
        """Who they are, in the order of the site file."""
        ...

    def look(self, aim: Aim, *, within: Deadline, only: str = "") -> tuple[Observation, ...]:
        """One observation from each, in the order of `names`; from `only` alone where it is named.

        Never raises for what it sees.
        """
        ...

    def online(self, *, within: Deadline) -> tuple[bool, ...]:
        """Whether each observer reaches at least one reference site, in the order of `names`."""
        ...


@dataclass(frozen=True)
class Answer:
    """What one DNS server said for one question.

    `values` is None when it gave no usable answer, and `problem` then says why. `via` is ``udp``, ``tcp`` or ``https``.
    `ttl` is what is left of it as the server tells.
    """

    server: str
    values: tuple[str, ...] | None
    ttl: timedelta = timedelta(0)
    via: str = "udp"
    problem: str = ""


class Answers(Protocol):
    """What the DNS says about the site's names, asked server by server and all at once."""

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """The answer of each authoritative server of the key's zone, of the provider `at` alone where it is named.

        Never raises for what it sees.
        """
        ...

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """The answer of each resolver of the site file, or of those named in `only`, over HTTPS where port 53 is closed.

        A resolver keeps what it is asked for. Never raises.
        """
        ...
