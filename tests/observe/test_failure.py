"""Reasons in the words of a person."""

from __future__ import annotations

import errno
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from defib.observe.failure import NoAnswer, certificate_reason, connection_reason, is_ours, plain, seconds

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def refusal(code: int) -> ssl.SSLCertVerificationError:
    """What the ssl module raises for one verification code of OpenSSL."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "as OpenSSL says"
    return error


def certificate(*names: str, begins: datetime = NOW, ends: datetime = NOW) -> x509.Certificate:
    """A certificate for `names`."""
    issued = trustme.CA(organization_name="Strangers").issue_cert(*names, not_before=begins, not_after=ends)
    return x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())


@pytest.mark.parametrize(
    ("code", "begins", "ends", "reason"),
    [
        (10, -90, -3, "TLS: certificate expired 3 d ago"),
        (10, -90, -0.5, "TLS: certificate expired 12 h ago"),
        (10, -90, -1 / 48, "TLS: certificate expired 30 min ago"),
        (10, -90, -1 / 3456, "TLS: certificate expired 25 s ago"),
        (9, 2, 90, "TLS: certificate not valid for another 2 d"),
        (62, -1, 1, "TLS: certificate is for a.example, b.example and 1 more"),
        (64, -1, 1, "TLS: certificate is for a.example, b.example and 1 more"),
        (20, -1, 1, "TLS: certificate issued by Strangers, which is not trusted"),
        (23, -1, 1, "TLS: as OpenSSL says"),
        (10, -1, 1, "TLS: as OpenSSL says"),
    ],
)
def test_certificate(code: int, begins: float, ends: float, reason: str) -> None:
    """C4: what is wrong with a certificate is told with its facts, and only where they agree with the refusal."""
    shown = certificate(
        "a.example",
        "b.example",
        "c.example",
        begins=NOW + timedelta(days=begins),
        ends=NOW + timedelta(days=ends),
    )
    assert reason == certificate_reason(refusal(code), shown, NOW)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("HTTP 503", "HTTP 503"),
        ("Zürich 東京", "Zürich 東京"),
        ("a\0b\x1b[31mc\r\nd\te\x7f\x9b", "a?b?[31mc??d?e??"),
        ("\u202eevil\u2066\u200f\u061c\u2028\ud800", "?evil?????"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
    ],
)
def test_plain(text: str, shown: str) -> None:
    """What a hostile server says is one short line without anything that a terminal or a command line would act on."""
    assert shown == plain(text)


def test_certificate_that_cannot_be_parsed() -> None:
    """A certificate whose inner parts are broken is a reason like any other, not a defect."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    broken = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\xff\xff")
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=1))
    shown = built.add_extension(broken, critical=False).sign(key, hashes.SHA256())
    assert "TLS: certificate is for no name" == certificate_reason(refusal(62), shown, NOW)


def test_certificate_that_was_not_seen() -> None:
    """Without the certificate the refusal itself is told."""
    assert "TLS: as OpenSSL says" == certificate_reason(refusal(10), None, NOW)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "connection reset"),
        (OSError(errno.EHOSTUNREACH, "x"), "host unreachable"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files"),
        (ConnectionError(), "connection lost"),
        (ssl.SSLEOFError(8, "EOF"), "TLS: connection closed during the handshake"),
        (NoAnswer("as it was"), "as it was"),
    ],
)
def test_connection(error: Exception, reason: str) -> None:
    """Each way for a connection to fail has its plain words."""
    assert reason == connection_reason(error)


def test_ours() -> None:
    """Running out of files here says nothing about the site."""
    assert is_ours(OSError(errno.EMFILE, "x"))
    assert not is_ours(OSError(errno.ECONNREFUSED, "x"))


@pytest.mark.parametrize(("given", "told"), [(0.8, "0.8 s"), (0.7999, "0.8 s"), (5, "5 s"), (0.05, "0.05 s")])
def test_seconds(given: float, told: str) -> None:
    """Durations are told as a person would."""
    assert told == seconds(timedelta(seconds=given))
