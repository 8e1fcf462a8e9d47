"""What a static status page says: as JSON for machines, and as one page of HTML that needs nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from pydantic import BaseModel, ConfigDict

_WORDS = {
    "operational": "All is well",
    "investigating": "The site is not available; we are looking into it",
    "identified": "The site is not available; we know why",
    "monitoring": "The site is available again; we are watching it",
    "resolved": "Resolved",
}
_GOOD = {"operational", "resolved"}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    ".state{padding:.75rem 1rem;border-left:.4rem solid #b3261e;background:#fbeae9}"
    ".state.good{border-color:#1b6e3c;background:#e8f3ec}"
    "li{margin:.75rem 0;white-space:pre-line}time{color:#555}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}.state{background:#3a1c1a}"
    ".state.good{background:#16301f}time{color:#aaa}}"
)


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Update(_Said):
    """One thing that was said of an incident."""

    at: datetime
    stage: str
    text: str


class Incident(_Said):
    """The last incident; `ended` is None while it is open."""

    title: str
    began: datetime
    ended: datetime | None = None
    updates: tuple[Update, ...] = ()


class StatusDocument(_Said):
    """The whole of ``status.json``."""

    site: str
    state: str
    updated: datetime
    incident: Incident | None = None


def as_page(document: StatusDocument) -> str:
    """The page for people: no script, nothing fetched, every word escaped, renewed by itself while it is open."""
    tone = "state good" if document.state in _GOOD else "state"
    title = escape(document.site)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta http-equiv="refresh" content="30"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Status of {title}</title><style>{_STYLE}</style></head><body>\n"
        f'<h1>Status of {title}</h1>\n<p class="{tone}">{escape(_WORDS.get(document.state, document.state))}</p>\n'
        f"{_incident(document.incident)}<p>Updated {_time(document.updated)}.</p>\n</body></html>\n"
    )


def _incident(incident: Incident | None) -> str:
    if incident is None:
        return ""
    lines = "".join(
        f"<li>{_time(update.at)} <strong>{escape(update.stage)}</strong><br>{escape(update.text)}</li>\n"
        for update in reversed(incident.updates)
    )
    return f"<h2>{escape(incident.title)}</h2>\n<ul>\n{lines}</ul>\n"


def _time(at: datetime) -> str:
    stamp = at.astimezone(UTC)
    return f'<time datetime="{stamp.isoformat()}">{stamp:%Y-%m-%d %H:%M:%S} UTC</time>'
