"""What may give access is cut from URLs and keys before they are told."""

from __future__ import annotations

import base64

import pytest

from defib.lab.forge.furniture import KEYS
from defib.providers.git.stripped import bare_url, fingerprint


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:pass@ci.test:8443/hook?token=1#x", "https://ci.test:8443/hook"),
        ("https://ci.test", "https://ci.test"),
        ("http://[2001:db8::1]:80/a", "http://[2001:db8::1]:80/a"),
        ("https://hooks.slack.test/services/T0123ABCD/B0123ABCD/abcdEFGH12345678", "https://hooks.slack.test/services"),
        ("https://ci.test/teams/deployments/build", "https://ci.test/teams/deployments/build"),
        ("https://ci.test/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/", "https://ci.test/[redacted]/"),
        ("https://ci.test:port/secret", "[redacted]"),
        ("https://[half/secret", "[redacted]"),
        ("not a url, secret", "[redacted]"),
        ("", "[redacted]"),
    ],
)
def test_url_is_told_without_what_may_be_secret(url: str, expected: str) -> None:
    """User, password, query, fragment and tokens in the path are gone; what cannot be read is told by nothing."""
    assert bare_url(url).removesuffix("/[redacted]" * 3) == expected


def test_fingerprint_is_that_of_openssh() -> None:
    """As `ssh-keygen -l` writes it, with and without a comment."""
    expected = "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8"
    assert fingerprint(KEYS[0].public) == expected
    assert fingerprint(" ".join(KEYS[0].public.split()[:2])) == expected


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "ssh-ed25519 no!base64", "ssh-ed25519 abc"])
def test_key_that_is_none_has_no_fingerprint(key: str) -> None:
    """It is told without, and not with a piece of it."""
    assert fingerprint(key) == ""


def test_key_is_not_in_its_fingerprint() -> None:
    """One way only."""
    blob = base64.b64encode(b"x" * 51).decode()
    assert blob[:16] not in fingerprint(f"ssh-ed25519 {blob}")
