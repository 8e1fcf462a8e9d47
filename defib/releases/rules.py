"""Which object a file of a built site becomes: its key, its content type, and how long it may be kept by caches.

A file is kept for a year only where its name says what is in it: where the name is the same, so is the content. Everything
else is ``no-cache``, which lets caches keep it and ask each time whether it is still right
(https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.4).
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from defib.errors import InputError

PREFIX = "releases"
MANIFEST = ".defib-release.json"
"""The object that marks a release as complete; no file of a site may have this path."""

YEAR = "public, max-age=31536000, immutable"
ASK = "no-cache"

_COMMIT = re.compile(r"[0-9a-f]{7,64}")

# Browsers take WebAssembly for streaming under this type alone (https://webassembly.github.io/spec/web-api/#streaming-modules),
# modules under a JavaScript type alone (https://html.spec.whatwg.org/multipage/webappapis.html#fetch-a-single-module-script);
# text/javascript is the one that is not obsolete (https://www.rfc-editor.org/rfc/rfc9239#section-6).
_TYPES = {
    "wasm": "application/wasm",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "cjs": "text/javascript; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "htm": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    # JSON has no charset parameter, it is UTF-8: https://www.rfc-editor.org/rfc/rfc8259#section-11
    "json": "application/json",
    "map": "application/json",
    "webmanifest": "application/manifest+json",
    "xml": "application/xml; charset=utf-8",
    "xhtml": "application/xhtml+xml; charset=utf-8",
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "svg": "image/svg+xml; charset=utf-8",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "ico": "image/vnd.microsoft.icon",
    # https://www.rfc-editor.org/rfc/rfc8081
    "woff": "font/woff",
    "woff2": "font/woff2",
    "ttf": "font/ttf",
    "otf": "font/otf",
    "eot": "application/vnd.ms-fontobject",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "pdf": "application/pdf",
    "zip": "application/zip",
    "gz": "application/gzip",
}
_TEXTS = {"LICENSE", "NOTICE", "NOTICES", "README", "AUTHORS", "CHANGELOG", "CNAME"}
_UNKNOWN = "application/octet-stream"
_PAGES = {"html", "htm", "xhtml"}

# What these well-known files are, none of which says so in its name:
# https://developer.apple.com/documentation/xcode/supporting-associated-domains ("application/json", no extension);
# https://www.rfc-editor.org/rfc/rfc8555#section-8.3 (acme-challenge); the others are JSON by their own documents.
_WELL_KNOWN = {
    "apple-app-site-association": "application/json",
    "apple-developer-merchantid-domain-association": "text/plain; charset=utf-8",
    "openid-configuration": "application/json",
    "oauth-authorization-server": "application/json",
    "webfinger": "application/jrd+json",
    "change-password": "text/plain; charset=utf-8",
    "matrix/server": "application/json",
    "matrix/client": "application/json",
}
_WELL_KNOWN_FOLDER = "/.well-known/"

# What Flutter writes under names that are the same in every build, so that a kept one is an old application:
# https://github.com/flutter/flutter/issues/63500. They would pass for unhashed anyway; they stand here by name, because
# nobody may ever come to believe that they are hashed.
_FLUTTER = {
    "flutter_service_worker.js",
    "flutter_bootstrap.js",
    "flutter.js",
    "main.dart.js",
    "main.dart.mjs",
    "main.dart.wasm",
    "version.json",
    "manifest.json",
}
# Workers are asked for under the same name in every build: https://web.dev/articles/service-worker-lifecycle#avoid-url-change
_WORKERS = {"service-worker.js", "sw.js", "firebase-messaging-sw.js", "ngsw-worker.js", "ngsw.json"}

_SEPARATORS = re.compile(r"[.\-_~]")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")  # webpack's, Parcel's, Rspack's
_BASE32 = re.compile(r"[0-9A-Z]{8}")  # esbuild's and so Angular's: chunk-ABCD1234.js
_BASE64 = re.compile(r"[0-9A-Za-z]{8,44}")  # Rollup's and so Vite's, where it has no "-" or "_": index-D1wR9gTa.js
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)  # who somebody is, not what is in it
_SHORTEST = 8
_SHORTEST_ALONE = 16

_CODE = {"js", "mjs", "cjs", "css", "wasm"}
"""Cameras name pictures as esbuild names chunks (DSCF1234), so only what a build tool writes is hashed in such a way."""


class Headers(NamedTuple):
    """What an object is served with."""

    content_type: str
    cache_control: str


headers = cache(Headers)
"""The same for the same two: thousands of objects are served with a handful of them."""


def is_commit(text: str) -> bool:
    """Whether a folder of the bucket may be a release."""
    return _COMMIT.fullmatch(text) is not None


def prefix_of(commit: str) -> str:
    """``releases/<commit>/``; :class:`InputError` for what is no commit."""
    if not is_commit(commit):
        raise InputError("not a commit", expected="7 to 64 hexadecimal digits in lower case", seen=repr(commit[:80]))
    return f"{PREFIX}/{commit}/"


def key_of(commit: str, path: str) -> str:
    """Where the file `path` of a build of `commit` is kept."""
    return f"{prefix_of(commit)}{path}"


def manifest_key(commit: str) -> str:
    """Where the manifest of a release is kept."""
    return key_of(commit, MANIFEST)


def headers_of(path: str) -> Headers:
    """What the file is served with; `path` is relative to the site's root, with slashes."""
    return headers(content_type(path), YEAR if keeps_its_name(path) else ASK)


def content_type(path: str) -> str:
    """The content type by name: unknown and missing extensions are bytes, which no browser runs or renders."""
    below = _below_well_known(path)
    if below in _WELL_KNOWN:
        return _WELL_KNOWN[below]
    if below.startswith("acme-challenge/"):
        return _UNKNOWN  # https://www.rfc-editor.org/rfc/rfc8555#section-8.3: application/octet-stream
    # Apple's also looks in the root, as it did before: the same document, "without any redirects".
    if path == "apple-app-site-association":
        return _WELL_KNOWN[path]
    stem, extension = _split(path)
    return _TYPES["txt"] if not extension and stem in _TEXTS else _TYPES.get(extension, _UNKNOWN)


def is_html(path: str) -> bool:
    """Whether the file is a page: what names the others, and so comes after them."""
    return _split(path)[1] in _PAGES


def keeps_its_name(path: str) -> bool:
    """Whether the name says what is in the file, so that another content would have another name."""
    name = path.rpartition("/")[2]
    stem, extension = _split(name.removesuffix(".map"))
    if extension in _PAGES or name in _FLUTTER or name in _WORKERS or _below_well_known(path):
        return False
    if not extension or _UUID.search(stem):
        return False
    first, *parts = _SEPARATORS.split(stem)
    if not parts:
        return len(first) >= _SHORTEST_ALONE and _is_hex_hash(first)
    return any(_is_hex_hash(part) or (extension in _CODE and _is_short_hash(part)) for part in parts)


def _split(path: str) -> tuple[str, str]:
    """Name without extension, and extension in lower case; a name that begins with its only dot has none."""
    name = path.rpartition("/")[2]
    stem, _, extension = name.rpartition(".")
    return (stem, extension.lower()) if stem else (name, "")


def _below_well_known(path: str) -> str:
    return f"/{path}".partition(_WELL_KNOWN_FOLDER)[2]


def _is_hex_hash(part: str) -> bool:
    """Whether it is one by its shape: digits and letters mixed, unlike a number, a date, a word, or a date with a letter."""
    few = 2
    return (
        len(part) >= _SHORTEST
        and _HEX.fullmatch(part) is not None
        and sum(each.isdigit() for each in part) >= few
        and _turns(part) >= few
    )


def _is_short_hash(part: str) -> bool:
    """Whether it is base32, or base64 that no CamelCase with a number in it looks like (Web3Auth turns four times)."""
    if _BASE32.fullmatch(part):
        return sum(each.isdigit() for each in part) in range(1, 6)  # DSC00012 and FY202425 are counted, not hashed
    many = 5
    return _BASE64.fullmatch(part) is not None and {_kind(each) for each in part} == {"0", "a", "A"} and _turns(part) >= many


def _kind(character: str) -> str:
    return "0" if character.isdigit() else "A" if character.isupper() else "a"


def _turns(part: str) -> int:
    kinds = [_kind(each) for each in part]
    return sum(before != after for before, after in pairwise(kinds))
