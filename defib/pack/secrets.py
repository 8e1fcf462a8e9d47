"""Which secrets must be at hand where a pack is opened, and the proof that none of them is in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from defib.errors import Refused, SecretMissing
from defib.providers.permissions import ACTIVITIES, Needed, needed, references
from defib.providers.secret import resolve
from defib.redact import Redactor
from defib.sites.site import Site


@dataclass(frozen=True)
class Wanted:
    """One reference, and where in which site file it stands."""

    reference: str
    places: tuple[str, ...]

    @property
    def how(self) -> str:
        """How it is put where Defib finds it, without the secret itself."""
        kind, _, rest = self.reference.partition(":")
        if kind == "env":
            return f"export {rest}=…"
        if kind == "file":
            return f"write it to home/{rest} of the pack, or to $DEFIB_HOME/{rest}"
        if kind == "aws":
            return "export AWS_PROFILE=…, or AWS_ACCESS_KEY_ID=… and AWS_SECRET_ACCESS_KEY=…"
        return f"be logged in at AWS as who may read {rest.partition('#')[0]}"


def wanted(sites: Collection[Site]) -> tuple[Wanted, ...]:
    """Every reference of these sites, each once; those of the lab, which makes its own, are left out."""
    found: dict[str, list[str]] = {}
    for site in sites:
        for place, reference in references(site) if not site.lab else ():
            found.setdefault(reference, []).append(f"{site.site}: {place}")
    told = [Wanted(reference, tuple(places)) for reference, places in found.items()]
    return (*told, *_logins(sites))


def _logins(sites: Collection[Site]) -> Iterator[Wanted]:
    """What has no keys in its site file is asked for with whatever AWS's own tools find."""
    places = tuple(site.site for site in sites if not site.lab and any(not each.credentials for each in _aws(site)))
    if places:
        yield Wanted("aws:", places)


def _aws(site: Site) -> Iterator[Needed]:
    return (each for activity in ACTIVITIES for each in needed(site, activity))


def known(sites: Iterable[Site], home: Path) -> Redactor:
    """What knows every secret that can be reached here without asking anybody, so that it is found wherever it stands."""
    redact = Redactor()
    for site in sites:
        for _, reference in references(site):
            if not reference.startswith("aws-secret:"):
                _learn(redact, reference, home)
    return redact


def _learn(redact: Redactor, reference: str, home: Path) -> None:
    try:
        redact.learn(resolve(reference, home))
    except SecretMissing:
        return  # what is not here cannot have been packed from here


def refuse_secrets(contents: Mapping[str, bytes], redact: Redactor) -> None:
    """:class:`Refused` where a file holds a secret that is known; its value is not repeated.

    What only looks like one is refused in what people write of their own sites; runbooks show how a token is sent.
    """
    found = sorted(_holding(contents, redact))
    if found:
        raise Refused(
            "a secret would be in the pack",
            where=", ".join(found),
            expected="references alone",
            then="take it out of the file, and make a new one: whoever could read the file has had it",
        )


_PATTERNS = Redactor()
_OF_SITES = ("sites/", "source/runbooks/sites/", "proofs/")


def _holding(contents: Mapping[str, bytes], redact: Redactor) -> Iterator[str]:
    for path, content in contents.items():
        text, mine = content.decode("utf-8", "replace"), path.startswith(_OF_SITES)
        if _holds(text, redact, mine=mine):
            lines = enumerate(text.splitlines(), start=1)
            first = next((number for number, line in lines if _holds(line, redact, mine=mine)), 1)
            yield f"{path}:{first}"


def _holds(text: str, redact: Redactor, *, mine: bool) -> bool:
    looks = _PATTERNS(text)
    return redact(text) != looks or (mine and looks != text)
