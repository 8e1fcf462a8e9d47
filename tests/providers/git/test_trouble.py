"""git's words, read as the trouble that people act on."""

from __future__ import annotations

import pytest

from defib.providers.git.trouble import read_trouble
from defib.redeploy.offer import Trouble

URL = "https://github.com/pulse/shallow-corrupt.git/"
BROKEN_OFF = """error: RPC failed; curl 18 transfer closed with outstanding read data remaining
fatal: early EOF
fatal: fetch-pack: invalid index-pack output"""
EVIL = """error: object 0a1b: hasDotgit: contains '.git'
fatal: fsck error in packed object
fatal: fetch-pack: invalid index-pack output"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("fatal: could not read Username for 'https://github.com': terminal prompts disabled", Trouble.DENIED),
        (f"remote: HTTP Basic: Access denied\nfatal: Authentication failed for '{URL}'", Trouble.DENIED),
        (f"fatal: unable to access '{URL}': The requested URL returned error: 403", Trouble.DENIED),
        (f"remote: Not Found\nfatal: repository '{URL}' not found", Trouble.NO_REPOSITORY),
        (f"fatal: unable to access '{URL}': The requested URL returned error: 301", Trouble.NO_REPOSITORY),
        (f"fatal: {URL}info/refs not valid: is this a git repository?", Trouble.NO_REPOSITORY),
        (f"fatal: unable to access '{URL}': Could not resolve host: github.com", Trouble.UNREACHABLE),
        (f"fatal: unable to access '{URL}': The requested URL returned error: 503", Trouble.UNREACHABLE),
        (f"fatal: unable to access '{URL}': SSL certificate problem: certificate has expired", Trouble.UNREACHABLE),
        (BROKEN_OFF, Trouble.UNREACHABLE),
        (EVIL, Trouble.DAMAGED),
        ("error: Repository lacks these prerequisite commits:\nerror: 0a1b", Trouble.DAMAGED),
        ("remote: fsck error, repository '' not found, Authentication failed\nfatal: gone", Trouble.UNREACHABLE),
        ("", Trouble.UNREACHABLE),
    ],
)
def test_kinds(output: str, expected: Trouble) -> None:
    """Each kind is told by git's own words, not by the URL or by what the other side says of itself."""
    kind, told = read_trouble(output)
    assert kind is expected
    assert told.startswith(f"{expected}: ")


def test_a_flood_is_cut() -> None:
    """Whatever the other side has to say, people are shown a few lines."""
    assert len(read_trouble("remote: go away " * 10_000)[1]) < 600
