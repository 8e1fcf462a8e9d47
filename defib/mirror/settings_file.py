"""The settings of a repository as a file beside its bundle, for the day when the vendor is gone."""

from __future__ import annotations

import json

from pydantic import TypeAdapter, ValidationError

from defib.errors import InputError
from defib.mirror.settings import RepositorySettings

VERSION = 1
"""Goes up when a file of before could be misread; other versions are refused."""

_SHAPE = TypeAdapter(RepositorySettings)


def write_settings(settings: RepositorySettings) -> str:
    """The text of the file: JSON with sorted keys, so that two exports can be compared line by line."""
    whole = {"version": VERSION, "settings": _SHAPE.dump_python(settings, mode="json")}
    return json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_settings(text: str, where: str) -> RepositorySettings:
    """The settings in `text`, which stands in the file `where`; :class:`InputError` for anything else."""
    try:
        whole: object = json.loads(text)
    except ValueError as error:
        raise _unreadable(where, f"no JSON: {error}") from error
    if not isinstance(whole, dict) or whole.get("version") != VERSION:
        version = whole.get("version") if isinstance(whole, dict) else None
        raise _unreadable(where, f"version {version!r}")
    try:
        return _SHAPE.validate_json(json.dumps(whole.get("settings")), strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _unreadable(where, f"{place}: {first['msg']}") from error


def _unreadable(where: str, seen: str) -> InputError:
    return InputError(
        "the exported settings of a repository cannot be read",
        where=where,
        expected=f"what Defib exported, version {VERSION}",
        seen=seen,
        then="export them anew",
    )
