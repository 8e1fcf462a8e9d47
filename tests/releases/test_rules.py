"""Which object a file becomes."""

from __future__ import annotations

import pytest

from defib.errors import InputError
from defib.releases.rules import ASK, YEAR, content_type, headers_of, is_html, keeps_its_name, key_of


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("canvaskit/canvaskit.wasm", "application/wasm"),
        ("main.dart.js", "text/javascript; charset=utf-8"),
        ("MAIN.JS", "text/javascript; charset=utf-8"),
        ("module.mjs", "text/javascript; charset=utf-8"),
        ("version.json", "application/json"),
        ("main.dart.js.map", "application/json"),
        ("site.webmanifest", "application/manifest+json"),
        ("index.html", "text/html; charset=utf-8"),
        ("app.css", "text/css; charset=utf-8"),
        ("logo.svg", "image/svg+xml; charset=utf-8"),
        ("assets/fonts/MaterialIcons-Regular.otf", "font/otf"),
        ("a.woff2", "font/woff2"),
        ("a.ttf", "font/ttf"),
        ("robots.txt", "text/plain; charset=utf-8"),
        ("assets/NOTICES", "text/plain; charset=utf-8"),
        ("assets/AssetManifest.bin", "application/octet-stream"),
        ("some/thing", "application/octet-stream"),
        (".well-known/apple-app-site-association", "application/json"),
        ("apple-app-site-association", "application/json"),
        (".well-known/assetlinks.json", "application/json"),
        (".well-known/security.txt", "text/plain; charset=utf-8"),
        (".well-known/acme-challenge/x1", "application/octet-stream"),
        (".well-known/openid-configuration", "application/json"),
        (".well-known/unheard-of", "application/octet-stream"),
    ],
)
def test_content_types(path: str, expected: str) -> None:
    """R13: .wasm, .js, .json, no extension and .well-known get the content type that browsers and vendors ask for."""
    assert expected == content_type(path)


@pytest.mark.parametrize(
    "path",
    [
        "index.html",
        "about/index.html",
        "page.3f2a9c1b.html",
        "flutter_service_worker.js",
        "flutter_bootstrap.js",
        "main.dart.js",
        "main.dart.mjs",
        "version.json",
        "manifest.json",
        "assets/AssetManifest.bin.json",
        "assets/fonts/MaterialIcons-Regular.otf",
        "favicon.ico",
        "jquery-3.7.1.min.js",
        "lib-1.10.20240101.js",
        "report-20261122.js",
        "report-2026-11-22.js",
        "build-20240101a.js",
        "photo-DSC00012.jpg",
        "photo-DSCF1234.jpg",
        "chunk-FY202425.js",
        "app-face2face.js",
        "app-deadbeef.js",
        "app-HomePage.js",
        "app-Web3Auth.js",
        "main-20261122T203524Z.js",
        "img-550e8400-e29b-41d4-a716-446655440000.png",
        "3f2a9c1b.js",
        "app.3f2a9c1.js",
        "app-3f2a9c1b",
        ".well-known/app.3f2a9c1b.json",
        "service-worker.js",
        "firebase-messaging-sw.js",
    ],
)
def test_what_is_asked_for_each_time(path: str) -> None:
    """R12: pages, Flutter's own files, workers, and every name that may come again with other content are no-cache."""
    assert ASK == headers_of(path).cache_control


@pytest.mark.parametrize(
    "path",
    [
        "app.3f2a9c1b.js",
        "app.3f2a9c1b.js.map",
        "static/css/main.0e1f2a3b4c5d6e7f8091.chunk.css",
        "chunk-ABCD1234.js",
        "chunk-7QXW4ZKA.js",
        "assets/index-D1wR9gTa.js",
        "media/d41d8cd98f00b204e980.png",
        "media/logo.5d5d9eef.svg",
    ],
)
def test_what_is_kept_for_a_year(path: str) -> None:
    """R12: a name that holds a hash of the content is kept for a year."""
    assert YEAR == headers_of(path).cache_control
    assert keeps_its_name(path)


def test_pages() -> None:
    """Pages come last, whatever the case of their extension."""
    assert [True, True, False] == [is_html(path) for path in ("index.html", "A.HTM", "html.js")]


@pytest.mark.parametrize("commit", ["", "../x", "main", "ABCDEF1", "abc", "g" * 40])
def test_only_a_commit_has_a_release(commit: str) -> None:
    """What is no commit gets no prefix: a branch or a path would share it or leave it."""
    with pytest.raises(InputError):
        key_of(commit, "index.html")
