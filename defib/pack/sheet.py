"""Markdown as a page of its own: no script, nothing fetched, readable on paper and on a telephone."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files

from markdown_it import MarkdownIt


def sheet(title: str, markdown: str) -> bytes:
    """The page. Markdown that holds HTML shows it as text."""
    style = _style()
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return _PAGE.format(title=escape(title), style=style, body=body).encode()


@cache
def _style() -> str:
    return files("defib.pack").joinpath("sheet.css").read_text(encoding="utf-8")


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
"""
