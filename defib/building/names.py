"""Which names in a build's output become keys of objects, which are passed over, and which must not be there at all."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

LONGEST_KEY = 1024
"""Bytes of UTF-8 in a key, by https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html."""

PREFIX = len("releases//") + 64
"""What stands before a path in a release's keys, where commits have the longer of Git's two kinds of ids."""

_PUBLIC = ".well-known"

_FAULTS: dict[str, Callable[[str], bool]] = {
    "has an empty segment, or one of dots": lambda path: bool({"", ".", ".."} & set(path.split("/"))),
    "has a backslash": lambda path: "\\" in path,
    "has a control character": lambda path: any(unicodedata.category(character) == "Cc" for character in path),
    "has a character that cannot stand in the XML of a listing": lambda path: bool({"\ufffe", "\uffff"} & set(path)),
}


def fault_of(path: str) -> str:
    """Why `path` (with slashes) cannot be the end of an object's key, "" where it can.

    A name that is not UTF-8 comes as Python gives it, with surrogates for the bytes that are none.
    """
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        return "is not UTF-8"
    if length > LONGEST_KEY - PREFIX:
        return f"is longer than {LONGEST_KEY - PREFIX} bytes"
    return next((fault for fault, test in _FAULTS.items() if test(path)), "")


def is_git(name: str) -> bool:
    """Whether a file or folder of this name is a repository, on whatever file system it was made."""
    return name.casefold() == ".git"


def is_hidden(path: str) -> bool:
    """Whether any segment begins with a dot, but for what is under ``.well-known``, which is there to be asked for."""
    segments = path.split("/")
    return segments[0] != _PUBLIC and any(segment.startswith(".") for segment in segments)


def shown(path: str) -> str:
    """`path` for a message or a list: printable, whatever it holds."""
    return path if path.isprintable() else path.encode("unicode_escape").decode("ascii")
