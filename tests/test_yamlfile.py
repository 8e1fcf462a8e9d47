"""The quick way through a YAML file and the one that knows lines: what they read must be the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from defib.errors import InputError
from defib.sites.site import Site
from defib.yamlfile import parse_model
from tests.stage import RUNBOOKS

SITES = sorted((RUNBOOKS / "sites").glob("*.yaml"))
WORDS = r"""
yes no on 010 0o17 0x1f 0b11 1_000 12:30:45 1e3 .5 1. -.inf ~ null true TRUE 2026-01-31 2026-01-31T02:45:00Z 4h 127.0.0.1 1:2
'it''s' 'open "\u263a" b#c [x:y] [http://a:80/x,b] {b:c} {b:1,b:2} @b `b &x *x +12 é
"""
SPACED = (
    "",
    "b #c",
    "|\n  x",
    ">-\n  x\n  y",
    "{b: c}",
    "{b: 1, b: 2}",
    "b: c",
    "&x b",
    "\tb",
    "[1, 2",
    "&x [*x]",
    "\u3000",
)


class Anything(BaseModel):
    """A file of which nothing is expected."""

    model_config = ConfigDict(extra="allow")


def read(text: str, model: type[BaseModel] = Anything) -> BaseModel | str:
    """What is in it, or what is said to be wrong with it."""
    try:
        return parse_model(text, "x.yaml", model, InputError)
    except InputError as error:
        return f"{error.where}: {error.what}"


def slowly(text: str) -> str:
    """The same text, with something in it that only the parser that knows lines reads."""
    return f"{text.rstrip()} # odd!\n"


@pytest.mark.parametrize("value", [*WORDS.split(), *SPACED])
def test_both_ways_read_alike(value: str) -> None:
    """Whatever a value looks like, it is the same by both ways, and so is what is said where it is none."""
    text = f"a: {value}\nc:\n- 1\n- {{d: 2}}\n"
    assert read(text) == read(slowly(text))


@pytest.mark.parametrize("path", SITES, ids=[path.stem for path in SITES])
def test_site_files_are_read_alike(path: Path) -> None:
    """Each of ours, to the same site."""
    text = path.read_text(encoding="utf-8")
    assert isinstance(read(text, Site), Site)
    assert read(text, Site) == read(slowly(text), Site)


def test_a_mistake_is_told_with_its_line() -> None:
    """Whatever is wrong is read once more, by the parser that knows where it stands."""
    assert str(read("site: x\nnothing: 1\n", Site)).startswith("x.yaml:1: ")
    assert "line 2: unknown key 'nothing'" in str(read("site: x\nnothing: 1\n", Site))
