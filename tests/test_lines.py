"""A command's output: given line by line, never held as a whole, and fit for a terminal and a journal."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defib.lines import LONGEST, SHOWN, Output, plain


def lines_of(*chunks: bytes) -> list[str]:
    """The lines of what a command wrote piece by piece."""
    lines: list[str] = []
    reader, writer = os.pipe()
    output = Output(reader, lines.append)
    for chunk in chunks:
        os.write(writer, chunk)
        assert output.take()
    os.close(writer)
    assert not output.take()
    os.close(reader)
    return lines


def test_comes_as_it_is_written() -> None:
    """A line is given as soon as it ends; the last one also where it does not."""
    lines: list[str] = []
    reader, writer = os.pipe()
    output = Output(reader, lines.append)
    seen: list[Sequence[str]] = []
    for chunk in (b"on", b"e\ntwo\nth", b"ree"):
        os.write(writer, chunk)
        output.take()
        seen.append(tuple(lines))
    os.close(writer)
    output.take()
    os.close(reader)
    assert [*seen, tuple(lines)] == [(), ("one", "two"), ("one", "two"), ("one", "two", "three")]
    assert output.end(8) == "wo\nthree"


def test_nothing_there() -> None:
    """A reader who finds nothing does not wait for it."""
    reader, writer = os.pipe()
    assert not Output(reader, None).take()
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a\r", "a"),
        ("  1 %\r 50 %\r100 %", "100 %"),
        ("\x1b[1;31merror\x1b[0m: x", "error: x"),
        ("a\x00b\x07\x9bc", "abc"),
        ("a\tb", "a\tb"),
    ],
)
def test_plain(line: str, text: str) -> None:
    """What a terminal would leave standing, without what could command it."""
    assert text == plain(line)


def test_long_line() -> None:
    """A line without an end is given once, by its beginning, with how much is missing."""
    lines = lines_of(*[b"x" * 60_000] * 3, b"\nnext\n")
    assert [f"{'x' * LONGEST} … {180_000 - LONGEST} more bytes", "next"] == lines


def test_no_more_than_shown() -> None:
    """After so much nothing more is given, and that is told once."""
    line = b"y" * 1023 + b"\n"
    lines = lines_of(*[line * 60] * (SHOWN // len(line) // 60 + 10))
    assert lines[-1] == "… more than 16 MiB of output; the rest is not shown"
    assert sum(len(line) + 1 for line in lines[:-1]) <= SHOWN + 60 * 1024
    assert len([line for line in lines if line.startswith("…")]) == 1


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8))
def test_chunks_do_not_matter(chunks: list[bytes]) -> None:
    """Wherever the pipe cuts, the lines are those of the whole, also inside a character of several bytes."""
    whole = b"".join(chunks)
    assert lines_of(*chunks) == (lines_of(whole) if whole else [])
