"""A runbook with the ids, names, addresses and commands of one site in the place of its words in capitals.

Where a word stands for one thing, that stands in its place. Where it stands for several, the command is told once for each,
below the step. What only the moment tells, and what the site has not, is left in its place and named below the step:
nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from urllib.parse import urlsplit

from defib.pack.values import FIXED, MOMENT, Values
from defib.runbook import Runbook
from defib.sites.git import repositories
from defib.sites.site import Site

_CODE = re.compile(r"(?<!`)`[^`]+`(?!`)|^(?: {4}.*\n?)+", re.MULTILINE)
_WORD = re.compile(r"(?<![A-Za-z0-9_./-])\$?[A-Z][A-Z_]+(?![A-Za-z0-9_])|(?<=[/=:?@])[A-Z][A-Z_]+(?![A-Za-z0-9_])")
_HEADING = re.compile(r"^## ", re.MULTILINE)


@dataclass(frozen=True)
class Filled:
    """The runbook's text, which still reads as one, and what in it could not be filled in, by step."""

    text: str
    open: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def fill(runbook: Runbook, site: Site) -> Filled:
    """`runbook` for `site`."""
    head, *steps = _HEADING.split(runbook.text)
    values, examples = Values(site, runbook.procedure), _examples(site)
    opening = _CODE.sub(lambda code: _of_the_pack(code[0]), _own(head, examples))
    filled, still_open = [opening], dict[str, tuple[str, ...]]()
    for step in steps:
        part = _Part(values, examples)
        text = part.filled(step)
        name = step.partition("\n")[0].strip()
        if part.open:
            still_open[name] = tuple(part.open)
        filled.append(f"{text.rstrip()}\n{part.below()}\n")
    return Filled("## ".join(filled), still_open)


class _Part:
    """One step on its way."""

    def __init__(self, values: Values, examples: Mapping[str, str]) -> None:
        self._values, self._examples = values, examples
        self._each: list[str] = []
        self.open: dict[str, str] = {}

    def filled(self, step: str) -> str:
        """The step's own text."""
        at, parts = 0, []
        for code in _CODE.finditer(step):
            parts += [_own(step[at : code.start()], self._examples), self._code(code[0])]
            at = code.end()
        return "".join([*parts, _own(step[at:], self._examples)])

    def below(self) -> str:
        """What stands under it: a command for each of several, and what was left open."""
        lines = []
        if self._each:
            lines += ["", "For each of them:", "", *(f"    {line}" for line in dict.fromkeys(self._each))]
        if self.open:
            lines += ["", "Not filled in:", "", *(f"- `{word}`: {why}" for word, why in self.open.items())]
        return "\n".join([*lines, ""]) if lines else ""

    def _code(self, text: str) -> str:
        """A piece of code: its words that stand for one thing are replaced."""
        own = _of_the_pack(_own(text, self._examples))
        several: dict[str, tuple[str, ...]] = {}
        for word in dict.fromkeys(_WORD.findall(own)):
            found = self._found(word, own)
            if len(found) == 1:
                own = _replaced(own, {word: found[0]})
            elif found:
                several[word] = found
        if several and _is_command(own):
            plain = " ".join(own.strip("`").split())
            for chosen in product(*several.values()):
                self._each.append(_replaced(plain, dict(zip(several, chosen, strict=True))))
        elif several:
            self.open |= {word: f"each of {', '.join(found)}" for word, found in several.items()}
        return own

    def _found(self, word: str, text: str) -> tuple[str, ...]:
        bare = word.removeprefix("$")
        if bare in FIXED:
            return ()
        if not self._values.is_word(bare):
            return ()
        found = self._values.of(bare, text)
        if found is None:
            self.open[bare] = MOMENT[bare]
        elif not found:
            self.open[bare] = "this site has no such thing"
        return found or ()


def _of_the_pack(code: str) -> str:
    """Commands of Defib as they are typed in the folder of a pack."""
    return re.sub(r"(?<![\w./-])defib (?=[a-z])", "./defib ", code)


def _is_command(text: str) -> bool:
    return " " in text.strip("`").strip()


def _replaced(text: str, values: Mapping[str, str]) -> str:
    return _WORD.sub(lambda word: values.get(word[0], word[0]), text)


def _own(text: str, examples: Mapping[str, str]) -> str:
    """The example site's names, which runbooks are written with, as this site's."""
    pattern = "|".join(rf"(?<![\w/.-]){re.escape(each)}(?![\w-]|\.\w)" for each in examples)
    return re.sub(pattern, lambda found: examples[found[0]], text)


def _examples(site: Site) -> dict[str, str]:
    """Longer ones first, so that a name is not taken for a part of another."""
    found = dict(sorted(_pairs(site), key=lambda pair: -len(pair[0])))
    return {example: own for example, own in found.items() if own}


def _pairs(site: Site) -> Iterator[tuple[str, str]]:
    page, origin = urlsplit(site.page.url), urlsplit(site.origin.url)
    host, port = page.hostname or "", page.port or 443
    bundles = [each.bundle for each in repositories(site.site, site.git)]
    yield "www.pulse-trading.com:443:HOSTNAME:443", f"{host}:{port}:HOSTNAME:{port}"
    yield "--connect-to …", f"--connect-to {host}:{port}:HOSTNAME:{port}"
    yield "https://www.pulse-trading.com/main.dart.js", _joined(site.page.url, (*site.page.warm, "/")[0])
    yield "https://www.pulse-trading.com/", site.page.url
    past = f"--connect-to {origin.hostname}:{origin.port or 443}:{site.origin.connect_to}:{origin.port or 443} "
    yield "https://pulse-trading.vercel.app/", f"{past if site.origin.connect_to else ''}{site.origin.url}"
    yield "www.pulse-trading.com", host
    yield "pulse-trading.com", site.zones[0].rstrip(".")
    yield "mirrors/pulse-trading.bundle", f'"$DEFIB_HOME/{bundles[0]}"' if bundles else ""
    yield "../mirrors/pulse-trading.bundle.added", f'"$DEFIB_HOME/{bundles[0]}.added"' if bundles else ""
    yield "--to gitlab", "--to MIRROR"
    yield "pulse-trading", site.site


def _joined(url: str, path: str) -> str:
    return urlsplit(url)._replace(path=path).geturl()


def words_of(text: str) -> frozenset[str]:
    """Every word in capitals in the code of a runbook's text."""
    return frozenset(word.removeprefix("$") for code in _CODE.findall(text) for word in _WORD.findall(code))
