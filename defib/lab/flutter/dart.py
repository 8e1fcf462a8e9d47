"""Dart, as far as a compiler's front end goes: the text of a library to its tokens, brackets that match, and its imports.

The grammar is that of https://dart.dev/resources/language/spec; messages are worded like those of the Dart front end.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from defib.lab.flutter.project import BuildFailed, Tree

_TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*)"
    r"|(?P<comment>/\*)"
    r"|(?P<raw>r(?:'''.*?'''|\"\"\".*?\"\"\"|'[^'\n]*'|\"[^\"\n]*\"))"
    r"|(?P<string>'''|\"\"\"|'|\")"
    r"|(?P<number>0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<word>[A-Za-z_$][\w$]*)"
    r"|(?P<mark>[-+*/%~&|^!=<>?:;,.@#()\[\]{}])",
    re.DOTALL,
)
_CLOSES = {")": "(", "]": "[", "}": "{"}
_BEHIND_LITERALS = frozenset({"as", "is", "if", "in", "else", "when", "show", "hide", "deferred"})
"""The words that may follow a number or a string."""

_DIRECTIVE = re.compile(r"(import|export|part)$")


@dataclass(frozen=True)
class Token:
    """One token and where it begins."""

    kind: str
    text: str
    offset: int


@dataclass(frozen=True)
class Library:
    """One compiled file: its tokens without comments, and the files that it imports from the same project."""

    path: str
    tokens: tuple[Token, ...]
    imports: tuple[str, ...]

    @property
    def program(self) -> str:
        """The library in the fewest characters."""
        parts: list[str] = []
        for token in self.tokens:
            if parts and re.match(r"[\w$]", token.text) and re.search(r"[\w$]$", parts[-1]):
                parts.append(" ")
            parts.append(token.text)
        return "".join(parts)


def compile_program(tree: Tree, package: str, entry: str) -> tuple[Library, ...]:
    """Compile `entry` and everything that it imports; :class:`BuildFailed` names file, line and column of what is wrong."""
    done: dict[str, Library] = {}
    waiting = [entry]
    while waiting:
        path = waiting.pop(0)
        if path not in done:
            done[path] = compile_library(tree, package, path)
            waiting += done[path].imports
    if not any(one.text == "main" and two.text == "(" for one, two in _pairs(done[entry].tokens)):
        raise BuildFailed(f"{entry}: Error: No 'main' method found.")
    return tuple(done[path] for path in sorted(done))


def compile_library(tree: Tree, package: str, path: str) -> Library:
    """Compile one file of `tree`."""
    if path not in tree:
        raise BuildFailed(f"Error: Error when reading '{path}': No such file or directory")
    try:
        text = tree[path].decode()
    except UnicodeDecodeError as error:
        raise BuildFailed(f"{path}: Error: The file is not valid UTF-8.") from error
    tokens = tuple(_scan(path, text, 0, ""))
    _check_brackets(path, text, tokens)
    _check_ends(path, text, tokens)
    imports = tuple(_imports(tree, package, path, text, tokens))
    return Library(path, tokens, imports)


def _scan(path: str, text: str, at: int, until: str) -> Iterator[Token]:
    """The tokens from `at` to the end, or to the bracket that closes an interpolation (`until`), which is the last token."""
    depth = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong(path, text, at, f"The character {text[at]!r} isn't allowed.")
        kind, end = str(match.lastgroup), match.end()
        if kind == "comment":
            end = _comment_end(path, text, at)
        elif kind == "string":
            end = _string_end(path, text, at, match[0])
        if kind not in ("space", "comment"):
            yield Token(kind, text[at:end], at)
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if until and depth < 0:
            return
        at = end
    if until:
        raise _wrong(path, text, at, f"Can't find '{until}' to match the interpolation.")


def _comment_end(path: str, text: str, at: int) -> int:
    """Behind a block comment; they nest."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", text[at:]):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return at + mark.end()
    raise _wrong(path, text, at, "Comment starting with '/*' must end with '*/'.")


def _string_end(path: str, text: str, at: int, quote: str) -> int:
    """Behind a string literal, over escapes and interpolations, which hold code."""
    here = at + len(quote)
    while here < len(text) and not (len(quote) == 1 and text[here] == "\n"):
        if text.startswith(quote, here):
            return here + len(quote)
        if text.startswith("${", here):
            here = list(_scan(path, text, here + 2, "}"))[-1].offset + 1
        else:
            here += 2 if text[here] == "\\" else 1
    raise _wrong(path, text, at, f"String starting with {quote} must end with {quote}.")


def _check_brackets(path: str, text: str, tokens: tuple[Token, ...]) -> None:
    opened: list[Token] = []
    for token in tokens:
        if token.text in _CLOSES.values():
            opened.append(token)
        elif token.text in _CLOSES:
            if not opened or opened[-1].text != _CLOSES[token.text]:
                raise _wrong(path, text, token.offset, f"Expected a declaration, but got '{token.text}'.")
            opened.pop()
    if opened:
        closing = next(closes for closes, opens in _CLOSES.items() if opens == opened[-1].text)
        raise _wrong(path, text, opened[-1].offset, f"Can't find '{closing}' to match '{opened[-1].text}'.")


def _check_ends(path: str, text: str, tokens: tuple[Token, ...]) -> None:
    """A number or string that another expression or a declaration follows was the end of a statement."""
    for one, two in _pairs(tokens):
        literal = one.kind in ("number", "string", "raw")
        begins = two.kind == "number" or (two.kind == "word" and two.text not in _BEHIND_LITERALS)
        if literal and begins:
            raise _wrong(path, text, one.offset + len(one.text), "Expected ';' after this.")


def _imports(tree: Tree, package: str, path: str, text: str, tokens: tuple[Token, ...]) -> Iterator[str]:
    for number, (one, two) in enumerate(_pairs(tokens)):
        if _DIRECTIVE.match(one.text) and two.kind == "string" and (number == 0 or tokens[number - 1].text == ";"):
            found = _resolve(package, path, two.text.strip("'\""))
            if found is not None and found not in tree:
                raise _wrong(path, text, two.offset, f"Error when reading '{found}': No such file or directory")
            if found is not None:
                yield found


def _resolve(package: str, path: str, uri: str) -> str | None:
    """The file that `uri` names, None where the SDK or another package has it."""
    own = f"package:{package}/"
    if uri.startswith(own):
        return "lib/" + uri.removeprefix(own)
    return (
        None if uri.startswith(("dart:", "package:")) else posixpath.normpath(posixpath.join(posixpath.dirname(path), uri))
    )


def _pairs(tokens: tuple[Token, ...]) -> list[tuple[Token, Token]]:
    return list(itertools.pairwise(tokens))


def _wrong(path: str, text: str, at: int, message: str) -> BuildFailed:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    shown = (text.splitlines() or [""])[min(line, len(text.splitlines())) - 1]
    return BuildFailed(f"{path}:{line}:{column}: Error: {message}\n{shown}\n{' ' * (column - 1)}^")
