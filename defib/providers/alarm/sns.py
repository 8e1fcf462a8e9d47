"""Messages of Amazon SNS to an HTTPS endpoint, and whether Amazon sent them.

The string that is signed, the two versions of the signature and where certificates may come from are Amazon's words
(https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html and the pages on the JSON formats beside it).
The certificate is fetched over TLS from an address that only Amazon can hold, never from anywhere else that a message names.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from defib.errors import Denied, InputError, Unavailable
from defib.providers.alarm.payload import Payload, read_json

VENDOR = "sns"

NOTIFICATION = "Notification"
CONFIRMATION = "SubscriptionConfirmation"
FAREWELL = "UnsubscribeConfirmation"

FETCH_WITHIN = timedelta(seconds=5)

MOST_AGE = timedelta(hours=2)
"""SNS tries to deliver for about an hour; what comes later was kept by somebody and is sent again."""

_HOST = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?")
_SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    FAREWELL: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_MOST_CERTIFICATES = 8
_LARGEST = 20_000

Fetch = Callable[[str], bytes]
"""GET of an HTTPS address: the body of a 200; :class:`Unavailable` otherwise."""


class Envelope(Payload):
    """One message of SNS, around what its sender wrote."""

    Type: str
    MessageId: str
    TopicArn: str
    Message: str
    Timestamp: str
    SignatureVersion: str
    Signature: str
    SigningCertURL: str
    Subject: str | None = None
    SubscribeURL: str | None = None
    Token: str | None = None


class Sns:
    """Reads messages of known topics, and believes those that Amazon has signed. From any thread."""

    def __init__(self, topics: Collection[str], fetch: Fetch | None = None) -> None:
        self._topics = frozenset(topics)
        self._fetch = fetch or over_tls
        self._certificates: dict[str, x509.Certificate] = {}

    def read(self, body: bytes, now: datetime) -> Envelope:
        """The message; :class:`InputError` for what is none, :class:`Denied` where its topic, age or signature is wrong.

        :class:`Unavailable` where the certificate cannot be had; SNS then sends it again.
        """
        sent = read_json(Envelope, body, VENDOR)
        if sent.Type not in _SIGNED:
            raise InputError("SNS has no such type of message", where=VENDOR, expected=", ".join(_SIGNED))
        if sent.TopicArn not in self._topics:
            raise Denied(
                "a message of a topic that is not listened to",
                where=VENDOR,
                expected=", ".join(sorted(self._topics)) or "a topic named with --topic; there is none",
                seen=repr(sent.TopicArn[:200]),
            )
        _must_be_recent(sent, now)
        _must_be_signed(sent, self._certificate(sent.SigningCertURL, now))
        return sent

    def confirm(self, sent: Envelope) -> None:
        """Confirm the subscription that a verified message offers. Idempotent at Amazon."""
        self._fetch(_of_amazon(sent.SubscribeURL or "", "SubscribeURL"))

    def _certificate(self, url: str, now: datetime) -> x509.Certificate:
        if not urlsplit(_of_amazon(url, "SigningCertURL")).path.endswith(".pem"):
            raise Denied("a certificate that is no certificate", where=VENDOR, expected="a path that ends with .pem")
        known = self._certificates.get(url) or _parsed(self._fetch(url))
        if not known.not_valid_before_utc <= now <= known.not_valid_after_utc:
            raise Denied("the certificate that SNS signed with is not valid now", where=VENDOR, seen=url)
        if len(self._certificates) >= _MOST_CERTIFICATES:
            self._certificates = {}
        self._certificates[url] = known
        return known


def signed_text(sent: Envelope) -> bytes:
    """The bytes that the signature is over: each name and value that is there, a line each."""
    given = ((name, getattr(sent, name)) for name in _SIGNED[sent.Type])
    return "".join(f"{name}\n{value}\n" for name, value in given if value is not None).encode()


def over_tls(url: str) -> bytes:
    """GET, over TLS that is verified as ever, without redirects."""
    import httpx  # noqa: PLC0415 - most that listen have no topic

    try:
        answer = httpx.get(url, timeout=FETCH_WITHIN.total_seconds(), follow_redirects=False)
    except httpx.HTTPError as error:
        raise Unavailable("Amazon SNS cannot be asked", where=url.partition("?")[0], seen=type(error).__name__) from error
    if answer.status_code != httpx.codes.OK or len(answer.content) > _LARGEST:
        raise Unavailable("Amazon SNS does not answer as it should", where=url.partition("?")[0], seen=str(answer))
    return answer.content


def _of_amazon(url: str, what: str) -> str:
    """An address that only Amazon can hold; user names, ports and other hosts are tricks."""
    try:
        parts = urlsplit(url)
        ours = parts.scheme == "https" and parts.netloc == (parts.hostname or "") and _HOST.fullmatch(parts.netloc)
    except ValueError:
        ours = None
    if not ours or not url.isascii() or not url.isprintable():
        raise Denied(f"{what} does not lead to Amazon", where=VENDOR, expected="https://sns.REGION.amazonaws.com/…")
    return url


def _must_be_recent(sent: Envelope, now: datetime) -> None:
    try:
        at = datetime.fromisoformat(sent.Timestamp)
        old = abs(now - at) > MOST_AGE
    except (ValueError, TypeError, OverflowError):
        raise InputError("the message has no time", where=VENDOR, expected="Timestamp, ISO 8601 with a zone") from None
    if old:
        raise Denied("a message from another time", where=VENDOR, expected=f"within {MOST_AGE}", seen=sent.Timestamp[:40])


def _must_be_signed(sent: Envelope, certificate: x509.Certificate) -> None:
    # Version 1 is SHA-1; Amazon still makes it unless the topic asks for version 2.
    kind = {"1": SHA1, "2": SHA256}.get(sent.SignatureVersion)
    key = certificate.public_key()
    if kind is None or not isinstance(key, rsa.RSAPublicKey):
        raise Denied("nobody can tell whether Amazon has signed this message", where=VENDOR, seen=sent.SignatureVersion[:9])
    try:
        key.verify(base64.b64decode(sent.Signature, validate=True), signed_text(sent), padding.PKCS1v15(), kind())
    except (InvalidSignature, binascii.Error, ValueError):
        raise Denied("Amazon has not signed this message", where=VENDOR, seen=repr(sent.MessageId[:60])) from None


def _parsed(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise Unavailable("what should be the certificate of SNS is none", where=VENDOR) from error
