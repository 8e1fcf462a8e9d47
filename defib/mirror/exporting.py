"""The step that keeps what Git does not carry: settings by the vendors' APIs, written beside the bundle, and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from defib.mirror.copies import Copy, together
from defib.mirror.mirroring import mirrors_of
from defib.mirror.settings import RepositorySettings, Unknown
from defib.mirror.settings_compared import differences
from defib.mirror.settings_difference import Kind
from defib.mirror.settings_file import write_settings
from defib.run import Step
from defib.wholefile import put

_WORTH_A_LOOK = {Kind.MISSING, Kind.OTHERWISE}


def export_settings(step: Step, copies: Sequence[Copy]) -> None:
    """Ask every API that the site file names, write down what it says, and tell in what mirrors are not as their source.

    None of it makes a run red: no commit is lost by it, and what could not be read is told as unknown.
    """
    folder = mirrors_of(step.run).folder
    told = together(lambda copy: copy.of.settings(within=step.within), copies)
    for copy, settings in zip(copies, told, strict=True):
        for place, found in settings.items():
            if isinstance(found, Unknown):
                step.note(f"{copy.of.name}: the settings at {place} are unknown: {found.reason}", warning=True)
            else:
                put(folder / f"{copy.of.name}.{place}.settings.json", write_settings(found).encode(), "the settings")
        _compare(step, copy, settings)


def _compare(step: Step, copy: Copy, settings: Mapping[str, RepositorySettings | Unknown]) -> None:
    source = settings.get(copy.of.source)
    if not isinstance(source, RepositorySettings):
        return
    for place in copy.of.mirrors:
        mirror = settings.get(place)
        if isinstance(mirror, RepositorySettings):
            for each in differences(source, mirror):
                step.note(f"{copy.of.name}: {place} has other settings: {each}", warning=each.kind in _WORTH_A_LOOK)
