"""An Amazon SNS of our own: a key, a certificate, and messages that are signed with it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from defib.errors import Unavailable
from defib.providers.alarm.sns import Envelope, signed_text

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"
CERTIFICATE = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
SUBSCRIBE = (
    f"https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37fb687f5d51e6e2"
)


@dataclass
class Amazon:
    """Signs as SNS does, and answers for its addresses; `asked` are those that were asked for."""

    valid: timedelta = timedelta(days=30)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        made = x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(NOW - timedelta(days=60)).not_valid_after(NOW + self.valid)
        self.pem = made.sign(self.key, SHA256()).public_bytes(Encoding.PEM)

    def fetch(self, url: str) -> bytes:
        """GET of one of its addresses."""
        self.asked.append(url)
        if url == CERTIFICATE:
            return self.pem
        if url == SUBSCRIBE:
            return b"<ConfirmSubscriptionResponse/>"
        raise Unavailable("there is nothing at this address", where=url)

    def signed(self, version: str = "1", **more: object) -> bytes:
        """A message as it is posted; `more` replaces fields before it is signed."""
        facts = {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Subject": "My First Message",
            "Message": "Hello world!",
            "Timestamp": NOW.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "SignatureVersion": version,
            "Signature": "",
            "SigningCertURL": CERTIFICATE,
            "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
            **more,
        }
        facts = {name: value for name, value in facts.items() if value is not None}
        text = signed_text(Envelope.model_validate(facts))
        kind = SHA1() if version == "1" else SHA256()
        signature = base64.b64encode(self.key.sign(text, padding.PKCS1v15(), kind)).decode()
        return json.dumps({**facts, "Signature": signature}).encode()

    def invitation(self, **more: object) -> bytes:
        """The message that offers a subscription."""
        said = f"You have chosen to subscribe to the topic {TOPIC}.\nTo confirm the subscription, visit the SubscribeURL."
        facts: dict[str, object] = {"Type": "SubscriptionConfirmation", "Token": "2336412f37fb687f5d51e6e2"}
        facts |= {"SubscribeURL": SUBSCRIBE, "Subject": None, "Message": said, **more}
        return self.signed("1", **facts)
