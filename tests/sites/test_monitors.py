"""Monitors and signals in a site file: a mistake is found when the file is read, with its line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from defib.sites.site import load_site
from tests.sites.test_site import line_of, refusal
from tests.stage import RUNBOOKS

MONITORED = RUNBOOKS / "sites" / "lab-monitored.yaml"
TEXT = MONITORED.read_text(encoding="utf-8")


def test_what_the_lab_has() -> None:
    """Ids alone, and everything else has a sensible value."""
    site = load_site(RUNBOOKS / "sites" / "pulse-trading.yaml")
    robot, pingdom = site.monitors
    assert (robot.provider, pingdom.provider) == ("uptimerobot", "pingdom")
    assert (timedelta(seconds=30), timedelta(minutes=2)) == (robot.ask_every, robot.believed_for)
    assert (0.2, timedelta(minutes=5), False) == (
        site.signals[0].errors_above,
        site.signals[0].window,
        site.signals[0].counts,
    )
    assert site.detection.wait_for_monitors == timedelta(0)


@pytest.mark.parametrize(
    ("old", "new", "at", "what"),
    [
        ("    monitor: 800000001", "    monitor: Pulse Trading", "monitor: Pulse", "monitors.0.monitor: Input should be"),
        ("    check: 85975", "    check: 0", "check: 0", "monitors.1.check: Input should be greater than or equal to 1"),
        ("    check: 85975", "    chek: 85975", "- name: pingdom", "unknown key 'monitors.1.chek'; did you mean 'check'?"),
        ("provider: pingdom", "provider: pingdon", "- name: pingdom", "monitors.1"),
        ("  - name: pingdom", "  - name: uptimerobot", "- name: uptimerobot", "the name 'uptimerobot' stands twice"),
        ("  - name: pingdom", "  - name: east", "  - name: east", "the name 'east' is also that of another voice"),
        ("  - name: sentry", "  - name: pingdom", "- name: pingdom", "the name 'pingdom' is also that of another voice"),
        ("errors_above: 0.2", "errors_above: 20", "errors_above", "signals.0.errors_above: Input should be less than 1"),
        ("errors_above: 0.2", "errors_above: .nan", "errors_above", "signals.0.errors_above"),
        ("file:lab/secrets/sentry-token", "sntryu_0123456789", "sntryu", "never the secret itself"),
        ("  quorum: 2", "  quorum: 1", "counts: true", "signals.0.counts: with a quorum of 1 every voice decides alone"),
        ("  quorum: 2", "  quorum: 4", "quorum: 4", "detection.quorum: larger than the number of observers"),
        ("wait_for_monitors: 8s", "wait_for_monitors: 0s", "wait_for_monitors", "a duration longer than zero"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, at: str, what: str) -> None:
    """E14: each is told with its line. A quorum is never larger than what our own observers can make up."""
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    error = refusal(tmp_path, text)
    assert what in error.what
    assert error.where.rpartition(":")[2] == str(line_of(text, at, text.count(at)))


def test_asked_too_often(tmp_path: Path) -> None:
    """Outside of the lab a vendor's limits hold: so many questions would only get refusals."""
    text = (RUNBOOKS / "sites" / "pulse-trading.yaml").read_text(encoding="utf-8")
    text = text.replace("monitor: 800000001,", "monitor: 800000001, ask_every: 11s,")
    assert "monitors.0.ask_every: at least 12s, or its vendor refuses to answer" in refusal(tmp_path, text).what


def test_nobody_to_wait_for(tmp_path: Path) -> None:
    """Waiting for monitors needs monitors."""
    text = TEXT[: TEXT.index("# Who else looks")] + TEXT[TEXT.index("detection:") :]
    assert "detection.wait_for_monitors: there are no monitors to wait for" in refusal(tmp_path, text).what
