"""Secrets are cut out of whatever is written down, and what is no secret stays readable."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defib.redact import MARK, Redactor

SECRET = 'p@ss w/"ord\\9'


@pytest.mark.parametrize("form", [str, quote_plus, lambda s: quote(s, safe=""), json.dumps, repr])
def test_learnt_secret_in_any_form(form: object) -> None:
    """E13: as it is, percent-encoded, and inside quotes of JSON and Python."""
    redact = Redactor()
    assert redact.learn(SECRET) == SECRET
    assert callable(form)
    text = redact(f"before {form(SECRET)} after")
    assert "w" not in text.removeprefix("before").replace(MARK, "")
    assert text.startswith("before ")
    assert text.endswith(" after")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET https://ann:hunter2@host.example/path failed", "hunter2"),
        ("GET https://ann:p@ss@host.example/path failed", "ss@"),
        ("cloning https://0123456789abcdef0123@git.example/x", "0123456789"),
        ("redis://:hunter2@cache/0", "hunter2"),
        ("Authorization: Bearer abc.def.ghi", "abc.def"),
        ("{'authorization': 'Basic YW5uOmh1bnRlcjI='}", "YW5u"),
        ("curl -H 'authorization: token 0123456789'", "0123456789"),
        ("got a bearer eyJhbGciOiJIUzI1NiJ9", "eyJ"),
        ("?api_key=0123456789&x=1", "0123456789"),
        ('{"client_secret": "0123456789"}', "0123456789"),
        ("X-Amz-Signature=0123456789abcdef", "0123456789"),
        ("X-Amz-Security-Token=FwoGZXIvYXdz", "FwoG"),
        ("key AKIAIOSFODNN7EXAMPLE denied", "AKIA"),
        ("ghp_0123456789abcdef is expired", "ghp_"),
        ("password=hunter2!", "hunter2"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE cut off", "MIIE"),
    ],
)
def test_what_looks_like_a_secret(text: str, secret: str) -> None:
    """E13: URLs with passwords, headers, parameters, keys of vendors, wherever they come from."""
    redacted = Redactor()(text)
    assert secret not in redacted
    assert MARK in redacted


@pytest.mark.parametrize(
    "text",
    [
        "https://www.pulse-trading.test:8443/ answers 503",
        "token: env:CLOUDFLARE_TOKEN",
        "secret_key: file:lab/secrets/aws-secret-key",
        "ns-3 keeps the old answer d2pulsetrading.cloudfront.net.",
        "write to ann@example.org, 10:30",
        "the token is too weak",
    ],
)
def test_what_is_no_secret(text: str) -> None:
    """Addresses, references and sentences stay as they are."""
    assert Redactor()(text) == text


def test_short_secrets_are_not_hunted() -> None:
    """A secret of a few letters would cut ordinary words to pieces."""
    redact = Redactor()
    redact.learn("cdn")
    assert redact("the cdn is down") == "the cdn is down"


def test_longer_secret_first() -> None:
    """Where one secret holds another, nothing of the longer one is left."""
    redact = Redactor()
    redact.learn("secret")
    redact.learn("secret-and-more")
    assert redact("x secret-and-more y") == f"x {MARK} y"


@given(st.text(max_size=60))
def test_once_is_enough(text: str) -> None:
    """What was redacted is not changed by redacting it again."""
    redact = Redactor()
    redact.learn("correct horse")
    once = redact(f"{text} correct horse https://a:b@{text}/ token={text}")
    assert redact(once) == once


@given(st.text('abc:/@%"\\ é', min_size=6, max_size=30), st.text('abc:/@%" ', max_size=20))
def test_learnt_secret_never_comes_out(secret: str, around: str) -> None:
    """Whatever stands around it."""
    redact = Redactor()
    redact.learn(secret)
    text = redact(f"{around}{secret}{around}")
    assert MARK in text
    assert secret not in text.replace(MARK, "\0")


@pytest.mark.parametrize(
    ("url", "tokens", "kept"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", ("T1JJ3T3L2", "TIiajkdnlazkcOXrIdevi7FQ"), "slack"),
        ("json://defib:pass-word@127.0.0.1:8080/webhook", ("pass-word",), "127.0.0.1 defib webhook"),
        ("mmost://chat.example.org/h00ks3cr3tt0k3n?channel=ops", ("h00ks3cr3tt0k3n",), "chat.example.org ops"),
        ("https://hooks.example.org/services/B01234567?sig=0123456789abcdef", ("B01234567", "0123456789abcdef"), "services"),
        ("smseagle://t0k3nt0k3n@10.0.0.7:80/+15555550100", ("t0k3nt0k3n", "+15555550100"), "10.0.0.7"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV%5Fjs/", ("4174216298", "JHMHI8qBe7bk2ZwO5U711o3dV_js"), "discord"),
    ],
)
def test_parts_of_a_learnt_url(url: str, tokens: tuple[str, ...], kept: str) -> None:
    """E13: errors often quote a webhook's token without its URL; ordinary words of the URL stay readable."""
    redact = Redactor()
    redact.learn(url)
    for token in tokens:
        assert redact(f"no answer from /x/{token}/y") == f"no answer from /x/{MARK}/y"
    assert redact(kept) == kept
