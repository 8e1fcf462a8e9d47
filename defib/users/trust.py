"""What makes browsers trust a place for a public name: its certificate, and who may issue the next one (RFC 8659)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from defib.clock import Deadline
from defib.ports import Health

_CRITICAL = 128
_KNOWN = {"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"}


@dataclass(frozen=True)
class SeenCertificate:
    """What one address showed for a name.

    `health` is good where the certificate was verified for the name against the site's trust, bad where it was turned down
    or none was shown, and unknown where this machine could not look; `problem` says why it is not good. `names`, `issuer`
    and `not_after` are those of what was shown, also where it was turned down; `not_after` is None where nothing was.
    """

    address: str
    health: Health
    names: tuple[str, ...] = ()
    issuer: str = ""
    not_after: datetime | None = None
    problem: str = ""

    def lasts(self, now: datetime, at_least: timedelta) -> bool:
        """Whether it is valid now and for `at_least` longer."""
        return self.health is Health.GOOD and self.not_after is not None and self.not_after - now >= at_least


@dataclass(frozen=True)
class CaaRecord:
    """One CAA record; `tag` is in lower case."""

    flags: int
    tag: str
    value: str

    @property
    def issuer(self) -> str:
        """The domain of the authority that an `issue` or `issuewild` record names, "" where it names none."""
        return self.value.partition(";")[0].strip().lower()

    @property
    def conditions(self) -> str:
        """What else the record asks of that authority, such as ``accounturi=…``; nobody but the authority can judge it."""
        return self.value.partition(";")[2].strip()


@dataclass(frozen=True)
class CaaPolicy:
    """The records that decide for `name`, and the ancestor that holds them ("" where none does, so that all may issue).

    `problem` says why it could not be told who may issue; it is "" where it could.
    """

    name: str
    found_at: str = ""
    records: tuple[CaaRecord, ...] = ()
    problem: str = ""

    def allows(self, issuer: str) -> bool | None:
        """Whether the authority of the domain `issuer` (``letsencrypt.org``) may issue for the name; None if unknown.

        A record with `conditions` counts as leave. A critical record of an unknown tag forbids everybody
        (RFC 8659, section 4.1); records without any `issue` restrict nobody (section 4.2).
        """
        if self.problem:
            return None
        if any(record.flags & _CRITICAL and record.tag not in _KNOWN for record in self.records):
            return False
        deciding = [record for record in self.records if record.tag == "issue"]
        if self.name.startswith("*."):
            deciding = [record for record in self.records if record.tag == "issuewild"] or deciding
        return not deciding or issuer.lower().rstrip(".") in {record.issuer for record in deciding}


class Certificates(Protocol):
    """Who looks at the certificates that servers show."""

    def look(self, url: str, connect_to: str = "", *, within: Deadline) -> tuple[SeenCertificate, ...]:
        """What is shown for the name and port of `url`, by each address of `connect_to`: an address, or a name.

        With `connect_to` empty it is what users of `url` are shown. Where no address is found, the one answer says why.
        Never raises for what it sees, and ends when `within` does.
        """
        ...


class CaaPolicies(Protocol):
    """Who asks which authorities may issue."""

    def policy(self, name: str, *, within: Deadline) -> CaaPolicy:
        """Who may issue for `name`. Never raises for what it sees, and ends when `within` does."""
        ...
