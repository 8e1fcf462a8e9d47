"""A report as one self-contained HTML file: no script, no request to anywhere, readable on paper and on a telephone."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from defib.report.board_page import BoardPage
from defib.report.page import SIGNS, Page
from defib.report.words import plain


def as_html(page: Page) -> str:
    """The whole file as text. Everything that comes from a journal is escaped, control characters are made visible."""
    return _template("report.html.j2").render(page=page, signs=SIGNS).lstrip()


def board_as_html(page: BoardPage) -> str:
    """The board in the same way; with a `refresh` the browser asks for it anew, without any script."""
    return _template("board.html.j2").render(page=page, signs=SIGNS).lstrip()


@cache
def _template(name: str) -> Template:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    return environment.from_string(files("defib.report").joinpath(name).read_text(encoding="utf-8"))


def _visible(value: object) -> object:
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
