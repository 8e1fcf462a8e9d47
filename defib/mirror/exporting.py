"""The step that keeps what Git does not carry: settings by the vendors' APIs, written beside the bundle, and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from defib.errors import DefibError, Interrupted
from defib.mirror.copies import Copy, together
from defib.mirror.port import LOCAL
from defib.mirror.settings import RepositorySettings, Unknown
from defib.mirror.settings_compared import differences
from defib.mirror.settings_difference import Kind
from defib.run import Step

_WORTH_A_LOOK = {Kind.MISSING, Kind.OTHERWISE}


def export_settings(step: Step, copies: Sequence[Copy]) -> None:
    """Ask every API that the site file names, write down what it says, and tell in what mirrors are not as their source.

    No difference makes a run red: no commit is lost by it, and what could not be read is told as unknown. What was read and
    could not be kept does.
    """
    told = together(lambda copy: copy.of.settings(within=step.within), copies)
    for copy, settings in zip(copies, told, strict=True):
        for place, found in settings.items():
            if isinstance(found, Unknown):
                step.note(f"{copy.of.name}: the settings at {place} are unknown: {found.reason}", warning=True)
            else:
                _keep(step, copy, place, found)
        _compare(step, copy, settings)


def _keep(step: Step, copy: Copy, place: str, settings: RepositorySettings) -> None:
    try:
        done = copy.of.keep_settings(place, settings, within=step.within)
    except Interrupted:
        raise
    except DefibError as error:
        copy.trouble(LOCAL, f"the settings at {place} could not be kept: {error}")
        return
    if done:
        step.note(f"{copy.of.name}: the settings at {place}: {done}")


def _compare(step: Step, copy: Copy, settings: Mapping[str, RepositorySettings | Unknown]) -> None:
    source = settings.get(copy.of.source)
    if not isinstance(source, RepositorySettings):
        return
    for place in copy.of.mirrors:
        mirror = settings.get(place)
        if isinstance(mirror, RepositorySettings):
            for each in differences(source, mirror):
                step.note(f"{copy.of.name}: {place} has other settings: {each}", warning=each.kind in _WORTH_A_LOOK)
