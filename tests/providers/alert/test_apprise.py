"""Apprise against a chat, a webhook, an SMS gateway and a mail server that really listen."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import apprise
import pytest

from defib.errors import SecretMissing, Unavailable
from defib.lab.alone import RunningInbox, serve_inbox
from defib.lab.faults import Fault
from defib.providers.alert.apprise import AppriseChannel, worded
from tests.contracts.channel import ALERT, ChannelContract, ChannelWorld


@pytest.fixture
def inbox() -> Iterator[RunningInbox]:
    """Every sink, on free ports."""
    with serve_inbox() as running:
        yield running


def world_of(inbox: RunningInbox, via: str) -> ChannelWorld:
    """The channel to one of the sinks."""

    def arrived() -> tuple[str, ...]:
        return tuple(f"{message.title}\n{message.text}" for message in inbox.inbox.messages if message.via == via)

    def fail(fault: str) -> None:
        inbox.set_fault(Fault(fault) if fault else None)

    url = inbox.inbox.urls[via]
    denied = AppriseChannel(via, url.replace(inbox.token, "wrongtoken" + "0" * 16)) if inbox.token in url else None
    return ChannelWorld(AppriseChannel(via, url), arrived, fail, denied)


class TestChat(ChannelContract):
    """A chat's incoming webhook."""

    @pytest.fixture
    def world(self, inbox: RunningInbox) -> ChannelWorld:
        """The chat."""
        return world_of(inbox, "chat")


class TestWebhook(ChannelContract):
    """A JSON webhook with basic authentication."""

    @pytest.fixture
    def world(self, inbox: RunningInbox) -> ChannelWorld:
        """The webhook."""
        return world_of(inbox, "webhook")


class TestSms(ChannelContract):
    """An SMS gateway."""

    @pytest.fixture
    def world(self, inbox: RunningInbox) -> ChannelWorld:
        """The gateway."""
        return world_of(inbox, "sms")


class TestMail(ChannelContract):
    """Mail over SMTP."""

    @pytest.fixture
    def world(self, inbox: RunningInbox) -> ChannelWorld:
        """The mail server."""
        return world_of(inbox, "mail")


@pytest.mark.parametrize("url", ["nosuchscheme://s3cr3t-t0ken-value/x", "s3cr3t-t0ken-value", "slack://s3cr3t-t0ken-value/"])
def test_a_url_that_is_none(url: str) -> None:
    """E13: what Apprise cannot read is refused when it is opened, without a word of it."""
    with pytest.raises(SecretMissing) as caught:
        AppriseChannel("chat", url)
    assert "s3cr3t" not in str(caught.value)


class Listening(logging.Handler):
    """Everything that reaches the log of the process."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.heard.append(record.name)


def test_nothing_reaches_other_logs(inbox: RunningInbox) -> None:
    """What Apprise says of a failure is in the error, and in no log of the process."""
    inbox.set_fault(Fault("500"))
    world, listening = world_of(inbox, "webhook"), Listening()
    logging.getLogger().addHandler(listening)
    try:
        with pytest.raises(Unavailable) as caught:
            world.channel.send(ALERT, within=world.soon())
    finally:
        logging.getLogger().removeHandler(listening)
    assert "error=500" in caught.value.seen
    assert [name for name in listening.heard if name.startswith("apprise")] == []


def test_severity_is_passed_on(inbox: RunningInbox) -> None:
    """A channel that knows severities is told how bad it is."""
    world = world_of(inbox, "webhook")
    world.channel.send(ALERT, within=world.soon())
    assert [message.severity for message in inbox.inbox.messages] == ["warning"]


HOSTILE = 'seen: <a href="https://evil.test/">sign in</a> <!channel> [here](https://evil.test/) @everyone'


def test_hostile_text_in_mail(inbox: RunningInbox) -> None:
    """What a failing server sent is text in a mail of Apprise's own format, HTML.

    Apprise makes the plain part of the HTML, so that tags which were taken for such would not be in it.
    """
    world = world_of(inbox, "mail")
    url = inbox.inbox.urls["mail"].replace("&format=text", "")
    AppriseChannel("mail", url).send(replace(ALERT, text=f"{HOSTILE}\nsecond line"), within=world.soon())
    (text,) = world.arrived()
    assert f"{HOSTILE}\nsecond line" in text
    assert "<a " not in worded(HOSTILE, apprise.NotifyFormat.HTML)


def test_hostile_text_in_chats() -> None:
    """In Markdown nobody is called, and nothing leads elsewhere under other words; the words stay readable."""
    text = worded(HOSTILE, apprise.NotifyFormat.MARKDOWN)
    assert not set(text) & set("<>")
    assert "](" not in text
    assert "@everyone" not in text
    assert "sign in" in text


def test_plain_text_stays_as_it_is() -> None:
    """A webhook and a phone get the words themselves."""
    assert worded(HOSTILE, apprise.NotifyFormat.TEXT) == HOSTILE
