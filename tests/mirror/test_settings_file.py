"""Settings go to a file and come back as they were; what was not exported by us is refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from defib.errors import InputError
from defib.mirror.settings import Unknown
from defib.mirror.settings_file import VERSION, read_settings, write_settings
from tests.mirror.settings_stage import PARTS, SOURCE


def test_settings_come_back() -> None:
    """All parts, known."""
    assert read_settings(write_settings(SOURCE), "settings.json") == SOURCE


def test_unknown_parts_come_back_as_unknown() -> None:
    """Each part with its reason."""
    blind = replace(SOURCE, moved_to="a/b", **{field: Unknown(f"no {field}") for field, _ in PARTS})  # type: ignore[arg-type]
    assert read_settings(write_settings(blind), "settings.json") == blind


def test_file_is_the_same_for_the_same_settings() -> None:
    """Sorted keys, a version, and a line break at the end."""
    text = write_settings(SOURCE)
    whole = json.loads(text)
    assert text == write_settings(replace(SOURCE))
    assert text == json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert whole["version"] == VERSION
    assert sorted(whole["settings"]) == sorted(field.name for field in fields(SOURCE))


def _changed(change: Callable[[dict[str, Any]], object]) -> str:
    whole = json.loads(write_settings(SOURCE))
    change(whole)
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("<html>", "no JSON"),
        ("[]", "version None"),
        (_changed(lambda whole: whole.update(version=2)), "version 2"),
        (_changed(lambda whole: whole.pop("settings")), "settings"),
        (_changed(lambda whole: whole["settings"].pop("webhooks")), "webhooks: Field required"),
        (_changed(lambda whole: whole["settings"].update(archived="yes")), "archived"),
    ],
)
def test_other_files_are_refused(text: str, seen: str) -> None:
    """The file, what is wrong in it, and what to do."""
    with pytest.raises(InputError) as caught:
        read_settings(text, "/b/settings.json")
    assert (caught.value.where, caught.value.then) == ("/b/settings.json", "export them anew")
    assert seen in caught.value.seen or "Input should be" in caught.value.seen
