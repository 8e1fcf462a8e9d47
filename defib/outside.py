"""The real outside of a site: its vendors, its observers and its name servers, opened from the site file."""

from __future__ import annotations

from defib.clock import Clock
from defib.errors import LabDown
from defib.home import Home
from defib.observe.answers import DnsAnswers
from defib.observe.web import WebObservers
from defib.providers.open import open_cdn, open_zone
from defib.providers.secret import resolve
from defib.redact import Redactor
from defib.run import Outside
from defib.site import Site


def open_outside(site: Site, home: Home, redact: Redactor, clock: Clock) -> Outside:
    """Everything that the site file names, ready to be asked; nothing is asked yet.

    Every secret is resolved here, before a run begins, and learnt by `redact`, so that a missing one stops nothing half-way.
    """
    if site.lab and not (home.path / "lab" / "lab.json").is_file():
        raise LabDown(f"{site.site} is a site of the lab, and the lab is not up", where=str(home.path), then="defib lab up")

    def secret(reference: str) -> str:
        return redact.learn(resolve(reference, home.path))

    return Outside(
        zones=(open_zone(site, secret, clock),),
        cdns={cdn.name: open_cdn(site, cdn, secret, clock) for cdn in site.cdns},
        observers=WebObservers(site, home.path, clock),
        answers=DnsAnswers(site, home.path, clock),
    )
