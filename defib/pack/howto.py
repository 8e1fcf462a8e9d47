"""The one page that somebody opens who has the pack and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from defib.pack.secrets import Wanted
from defib.report import words
from defib.report.as_markdown import escape
from defib.runbook import Runbook
from defib.sites.site import Site

_WHEN: Mapping[str, str] = {
    "cdn-failover": "The CDN fails, and the host behind it serves",
    "dns-switch": "The host fails, whatever CDN is in front of it",
    "aws-redeploy": "Every host fails: the site is built anew, on AWS",
    "release-rollback": "The release on AWS is bad",
    "git-promote": "The source of the code is lost, or was emptied",
    "replication-repair": "The copy in the other region lacks something",
    "asset-restore": "Objects were deleted or overwritten",
}
"""What somebody sees, by the procedure that answers it, in the order in which it hurts."""

_USUAL = ("./defib plan {procedure} --site {site}", "./defib run {procedure} --site {site} --approve DIGEST")
_RESTORE = "./defib assets restore --site {site} --at 2026-01-31T02:40:00Z"
_TYPED: Mapping[str, tuple[str, ...]] = {
    "release-rollback": ("./defib releases --site {site}", "./defib release rollback --site {site}"),
    "git-promote": ("./defib mirror --site {site}", "./defib git promote --site {site} --to MIRROR"),
    "asset-restore": (f"{_RESTORE} --plan", f"{_RESTORE} --approve DIGEST"),
}


@dataclass(frozen=True)
class Holds:
    """What a pack holds, as its page tells it. `runbooks` are those that apply, by site; `bundles` have their sizes."""

    version: str
    sites: tuple[Site, ...]
    runbooks: Mapping[str, tuple[Runbook, ...]]
    secrets: tuple[Wanted, ...]
    platforms: tuple[str, ...]
    wheels_from: str
    bundles: Mapping[str, int]
    proofs: tuple[str, ...]
    left_out: tuple[str, ...]


def howto(holds: Holds) -> str:
    """The page as Markdown; text of site files is escaped."""

    def answers(site: Site) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        known = {runbook.procedure for runbook in holds.runbooks[site.site]}
        for procedure, seen in _WHEN.items():
            if procedure in known:
                typed = (line.format(procedure=procedure, site=site.site) for line in _TYPED.get(procedure, _USUAL))
                yield procedure, seen, tuple(typed)

    promises = " ".join(dict.fromkeys(map(_promise, holds.sites)))
    return _template().render(holds=holds, answers=answers, promises=promises)


def _promise(site: Site) -> str:
    rto, rpo = words.duration(site.objectives.rto), words.duration(site.objectives.rpo)
    return f"Users are to be back within {rto}, with what they had at most {rpo} before."


@cache
def _template() -> Template:
    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - it is Markdown, which has an escape of its own
    )
    environment.filters["md"] = escape
    return environment.from_string(files("defib.pack").joinpath("howto.md.j2").read_text(encoding="utf-8"))
