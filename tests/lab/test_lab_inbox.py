"""The lab's inbox and status page as the rest of the lab sees them: arrivals, refusals, faults, and the fingerprint."""

from __future__ import annotations

import json
import smtplib
import socket
from collections.abc import Iterator
from email.message import EmailMessage

import httpx
import pytest

from defib.lab.alone import RunningInbox, serve_inbox
from defib.lab.control import ControlClient
from defib.lab.controlserver import Control
from defib.lab.faults import Fault
from defib.lab.furniture import STATUS_BUCKET
from defib.lab.plan import API_PORT
from defib.lab.statuspage import COMPONENT, PAGE
from tests.lab.lab_stage import Stage, running_world


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A world."""
    with running_world() as made:
        yield made


@pytest.fixture
def inbox() -> Iterator[RunningInbox]:
    """The inbox alone."""
    with serve_inbox() as running:
        yield running


def http(inbox: RunningInbox) -> str:
    """The address of its web sinks."""
    return inbox.inbox.http.web.url


def test_all_that_arrives_is_listed(inbox: RunningInbox) -> None:
    """Every sink takes what its real counterpart takes, and the list has it in order."""
    url, token = http(inbox), inbox.token
    answers = [
        httpx.post(f"{url}/hooks/{token}", json={"text": "one", "channel": "#ops"}),
        httpx.post(f"{url}/webhook", auth=("defib", token), json={"title": "T", "message": "two", "type": "warning"}),
        httpx.post(f"{url}/jsonrpc/sms", json={"params": {"access_token": token, "to": "1555", "message": "three"}}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    listed = httpx.get(f"{url}/messages").json()["messages"]
    shown = [(each["n"], each["via"], each["title"], each["text"], each["to"], each["severity"]) for each in listed]
    assert shown == [
        (1, "chat", "", "one", "#ops", ""),
        (2, "webhook", "T", "two", "", "warning"),
        (3, "sms", "", "three", "1555", ""),
    ]


def test_who_has_no_token_leaves_nothing(inbox: RunningInbox) -> None:
    """A wrong token is refused as each kind of sink refuses it, and is not in the list."""
    url = http(inbox)
    answers = [
        httpx.post(f"{url}/hooks/wrong", json={"text": "x"}),
        httpx.post(f"{url}/hooks/{inbox.token}", json={"no": "text"}),
        httpx.post(f"{url}/webhook", auth=("defib", "wrong"), json={"message": "x"}),
        httpx.post(f"{url}/webhook", json={"message": "x"}),
        httpx.post(f"{url}/elsewhere", json={}),
    ]
    assert [answer.status_code for answer in answers] == [403, 400, 401, 401, 404]
    sms = httpx.post(f"{url}/jsonrpc/sms", json={"params": {"access_token": "wrong", "message": "x"}})
    assert sms.json() == {"result": "Invalid access token"}
    assert inbox.inbox.messages == ()


def test_mail_as_smtplib_sends_it(inbox: RunningInbox) -> None:
    """Several messages over one connection, lines that begin with a dot, and other alphabets arrive unchanged."""
    mail = inbox.inbox.mail
    with smtplib.SMTP(mail.address, mail.port, timeout=10) as client:
        for text in ("first\n.second\n..third", "ünïcode"):
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = "a@x.test", "b@x.test, c@x.test", f"On {text[:5]}"
            message.set_content(text)
            assert client.send_message(message) == {}
    shown = [(each.via, each.title, each.text, each.to) for each in inbox.inbox.messages]
    assert shown == [
        ("mail", "On first", "first\n.second\n..third", "b@x.test, c@x.test"),
        ("mail", "On ünïco", "ünïcode", "b@x.test, c@x.test"),
    ]


def test_the_order_of_mail_is_kept(inbox: RunningInbox) -> None:
    """A recipient needs a sender, data need a recipient, and unknown commands are refused."""
    mail = inbox.inbox.mail
    with smtplib.SMTP(mail.address, mail.port, timeout=10) as client:
        assert client.ehlo()[0] == 250
        assert client.docmd("RCPT TO:<b@x.test>")[0] == 503
        assert client.docmd("DATA")[0] == 503
        assert client.docmd("VRFY b")[0] == 502
        assert client.docmd("MAIL FROM:<a@x.test>")[0] == 250
        assert client.docmd("RSET")[0] == 250
        assert client.docmd("DATA")[0] == 503
    assert inbox.inbox.messages == ()


def test_faults_break_every_sink(inbox: RunningInbox) -> None:
    """Refuse closes the ports, 500 fails in each protocol's words, and healing brings everything back."""
    url, mail = http(inbox), inbox.inbox.mail
    inbox.set_fault(Fault("refuse"))
    for address in ((mail.address, mail.port), (mail.address, inbox.inbox.http.web.port)):
        with socket.socket() as probe:
            assert probe.connect_ex(address) != 0
    inbox.set_fault(Fault("500"))
    assert httpx.post(f"{url}/hooks/{inbox.token}", json={"text": "x"}).status_code == 500
    with smtplib.SMTP(mail.address, mail.port, timeout=10) as client:
        client.ehlo()
        assert client.docmd("MAIL FROM:<a@x.test>")[0] == 451
    inbox.set_fault(Fault("hang"))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/hooks/{inbox.token}", json={"text": "x"}, timeout=0.3)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        smtplib.SMTP(mail.address, mail.port, timeout=0.3)
    inbox.set_fault(None)
    assert httpx.post(f"{url}/hooks/{inbox.token}", json={"text": "x"}).status_code == 200
    assert len(inbox.inbox.messages) == 1


def test_a_fault_that_counts(inbox: RunningInbox) -> None:
    """A failure for one request heals itself."""
    inbox.set_fault(Fault("500", {"times": 1}))
    url = f"{http(inbox)}/hooks/{inbox.token}"
    assert [httpx.post(url, json={"text": "x"}).status_code for _ in range(2)] == [500, 200]


def test_they_are_targets_of_the_world(stage: Stage) -> None:
    """Inbox and status page are broken and healed like everything else."""
    assert stage.world.targets["inbox"] == stage.world.targets["statuspage"] == ("refuse", "hang", "500")
    for target in ("inbox", "statuspage"):
        stage.break_(target, "500")
    assert {"inbox", "statuspage"} <= set(stage.world.active)
    url = f"http://{stage.world.plan.at('1.6')}:{API_PORT}/v1/pages/{PAGE}/incidents"
    assert httpx.get(url).status_code == 500
    stage.heal()
    assert stage.world.active == {}
    assert httpx.get(url).status_code == 401


def test_an_open_incident_is_a_trace_and_messages_are_none(stage: Stage) -> None:
    """An incident that users can read changes the fingerprint until it is over; what people were told does not."""
    before = stage.world.fingerprint()
    httpx.post(
        f"http://{stage.world.plan.at('1.5')}:{API_PORT}/hooks/{stage.keys.inbox_token}", json={"text": "x"}
    ).raise_for_status()
    assert stage.world.fingerprint() == before
    headers = {"Authorization": f"OAuth {stage.keys.statuspage_token}"}
    url = f"http://{stage.world.plan.at('1.6')}:{API_PORT}/v1/pages/{PAGE}/incidents"
    incident = {"name": "Down", "components": {COMPONENT: "major_outage"}}
    made = httpx.post(url, headers=headers, json={"incident": incident}).json()
    opened = json.loads(stage.world.fingerprint())
    assert opened["statuspage"] == {"open": ["Down"], "component": "major_outage"}
    over = {"status": "resolved", "components": {COMPONENT: "operational"}}
    httpx.patch(f"{url}/{made['id']}", headers=headers, json={"incident": over}).raise_for_status()
    assert stage.world.fingerprint() == before
    assert stage.world.status_bucket.name == STATUS_BUCKET


def test_the_control_api_lists_what_arrived(stage: Stage) -> None:
    """`defib lab inbox` sees the same list, also while the inbox is broken."""
    control = Control(stage.world, lambda: None)
    stage.loop.run(control.server.start())
    try:
        stage.break_("inbox", "hang")
        assert ControlClient(control.server.url).inbox() == stage.world.inbox.messages
    finally:
        stage.heal()
        stage.loop.run(control.server.stop())
