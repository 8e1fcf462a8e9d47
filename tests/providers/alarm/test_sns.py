"""Messages of Amazon SNS: what Amazon signed is believed, and nothing else."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from defib.errors import DefibError, Denied, InputError, Unavailable
from defib.providers.alarm.sns import CONFIRMATION, MOST_AGE, Envelope, Sns, signed_text
from tests.providers.alarm.sns_stage import CERTIFICATE, NOW, SUBSCRIBE, TOPIC, Amazon


@pytest.fixture(scope="module")
def amazon() -> Amazon:
    """One key for this module: making one takes a while."""
    return Amazon()


@pytest.fixture
def sns(amazon: Amazon) -> Sns:
    """A reader that has asked Amazon for nothing yet."""
    amazon.asked.clear()
    return Sns([TOPIC], amazon.fetch)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["My First Message", None])
def test_both_versions_of_the_signature(amazon: Amazon, sns: Sns, version: str, subject: str | None) -> None:
    """SHA-1 and SHA-256, with a subject and without: a subject that is not there is not signed."""
    assert sns.read(amazon.signed(version, Subject=subject), NOW).Message == "Hello world!"


def test_the_text_that_is_signed() -> None:
    """As Amazon's documentation spells it out, name by name."""
    facts = {"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Subject": "s", "Message": "Hello\nworld"}
    rest = {"Timestamp": "2026-01-01T12:00:00.000Z", "SignatureVersion": "1", "Signature": "", "SigningCertURL": ""}
    lines = ("Message", "Hello\nworld", "MessageId", "m", "Subject", "s", "Timestamp", "2026-01-01T12:00:00.000Z")
    expected = "\n".join((*lines, "TopicArn", "t", "Type", "Notification", "")).encode()
    assert expected == signed_text(Envelope.model_validate({**facts, **rest}))


def test_the_certificate_is_fetched_once(amazon: Amazon, sns: Sns) -> None:
    """A flood of alarms asks Amazon for nothing."""
    for _ in range(5):
        sns.read(amazon.signed(), NOW)
    assert [CERTIFICATE] == amazon.asked


def test_an_invitation_is_confirmed_at_amazon(amazon: Amazon, sns: Sns) -> None:
    """The address in it is visited, after it was found to be Amazon's own."""
    sent = sns.read(amazon.invitation(), NOW)
    assert sent.Type == CONFIRMATION
    sns.confirm(sent)
    assert [CERTIFICATE, SUBSCRIBE] == amazon.asked


@pytest.mark.parametrize("name", ["Message", "MessageId", "Subject", "Timestamp", "Type"])
def test_what_was_changed_on_the_way(amazon: Amazon, sns: Sns, name: str) -> None:
    """Every field that counts is under the signature."""
    changed = json.loads(amazon.signed())
    changed[name] = {"Timestamp": "2026-01-01T12:00:01.000Z", "Type": "UnsubscribeConfirmation"}.get(name, "changed")
    with pytest.raises(Denied, match="not signed"):
        sns.read(json.dumps(changed).encode(), NOW)


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-west-2.amazonaws.com/x.pem",
        "https://sns.us-west-2.amazonaws.com.evil.example/x.pem",
        "https://evil.example/sns.us-west-2.amazonaws.com/x.pem",
        "https://sns.us-west-2.amazonaws.com@evil.example/x.pem",
        "https://sns.us-west-2.amazonaws.com:8443/x.pem",
        "https://s3.us-west-2.amazonaws.com/x.pem",
        "https://sns.us-west-2.amazonaws.com/x.pem\r\nHost: evil.example",
        "https://sns.us-west-2.amazonaws.com/x",
        "https://[::1/x.pem",
        "file:///etc/passwd.pem",
        "",
    ],
)
def test_certificates_from_elsewhere(amazon: Amazon, sns: Sns, url: str) -> None:
    """Nothing is fetched from an address that only looks like Amazon's."""
    with pytest.raises(DefibError):
        sns.read(amazon.signed(SigningCertURL=url), NOW)
    assert amazon.asked == []


@pytest.mark.parametrize("url", ["https://evil.example/?Action=ConfirmSubscription", "http://169.254.169.254/", None])
def test_invitations_to_elsewhere(amazon: Amazon, sns: Sns, url: str | None) -> None:
    """Whoever could sign a message still could not make this machine visit another address."""
    sent = sns.read(amazon.invitation(SubscribeURL=url), NOW)
    with pytest.raises(Denied):
        sns.confirm(sent)
    assert [CERTIFICATE] == amazon.asked


def test_a_signature_by_somebody_else(amazon: Amazon) -> None:
    """A valid certificate does not make another key's signature one."""
    other = Amazon()
    with pytest.raises(Denied, match="not signed"):
        Sns([TOPIC], amazon.fetch).read(other.signed(), NOW)


def test_a_certificate_that_has_expired() -> None:
    """An old key that leaked is worth nothing."""
    old = Amazon(valid=-timedelta(days=1))
    with pytest.raises(Denied, match="not valid now"):
        Sns([TOPIC], old.fetch).read(old.signed(), NOW)


def test_a_topic_of_somebody_else(amazon: Amazon, sns: Sns) -> None:
    """Anybody can have a topic that Amazon signs for; nothing is asked of Amazon for it."""
    with pytest.raises(Denied, match="not listened to"):
        sns.read(amazon.signed(TopicArn="arn:aws:sns:us-west-2:666666666666:Evil"), NOW)
    assert amazon.asked == []


@pytest.mark.parametrize("ago", [MOST_AGE + timedelta(seconds=1), -MOST_AGE - timedelta(seconds=1)])
def test_a_message_of_another_time(amazon: Amazon, sns: Sns, ago: timedelta) -> None:
    """A recording of last week's outage starts nothing."""
    with pytest.raises(Denied, match="another time"):
        sns.read(amazon.signed(Timestamp=(NOW - ago).isoformat()), NOW)


@pytest.mark.parametrize("time", ["", "yesterday", "2026-01-01T12:00:00"])
def test_a_message_without_a_time(amazon: Amazon, sns: Sns, time: str) -> None:
    """A time without a zone is none."""
    with pytest.raises(InputError):
        sns.read(amazon.signed(Timestamp=time), NOW)


@pytest.mark.parametrize(("version", "signature"), [("3", "AAAA"), ("", ""), ("1", "no base64!"), ("2", "AAAA"), ("1", "")])
def test_signatures_that_are_none(amazon: Amazon, sns: Sns, version: str, signature: str) -> None:
    """What cannot be verified is not believed."""
    sent = {**json.loads(amazon.signed()), "SignatureVersion": version, "Signature": signature}
    with pytest.raises(Denied):
        sns.read(json.dumps(sent).encode(), NOW)


def test_no_certificate_to_be_had(amazon: Amazon) -> None:
    """SNS sends it again later: that is not the sender's fault."""

    def unreachable(url: str) -> bytes:
        raise Unavailable("no network", where=url)

    with pytest.raises(Unavailable):
        Sns([TOPIC], unreachable).read(amazon.signed(), NOW)
    with pytest.raises(Unavailable):
        Sns([TOPIC], lambda _: b"not a certificate").read(amazon.signed(), NOW)
