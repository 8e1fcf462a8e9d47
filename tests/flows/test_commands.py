"""What forms ask for is a command that ``defib`` understands, to the last option."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defib.cli.app import invoke
from defib.errors import InputError, UnknownSite
from flows import commands
from flows.commands import Wanted

AT = datetime.now(UTC) - timedelta(hours=1)
SITE = "a-site-without-a-file"
WANTED = [
    commands.run("cdn-failover", SITE, "rehearsal", AT, force=True),
    commands.run("aws-redeploy", SITE, "incident", AT, commit="4f" * 20),
    commands.run("git-mirror", SITE, "incident"),
    commands.release_rollback(SITE, "incident", AT),
    commands.promote(SITE, "gitlab", "web", "rehearsal", force=True),
    commands.restore(SITE, AT, "images/", "assets", "replica", "other", AT, "rehearsal", force=True),
]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty home."""
    monkeypatch.setenv("DEFIB_HOME", str(tmp_path))


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: " ".join(wanted.command[:2]))
def test_every_option_is_known(wanted: Wanted) -> None:
    """It is understood: what is refused is only that there is no such site."""
    assert invoke(wanted.words("a test")) == UnknownSite.exit_code


def test_a_failback_names_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    """However the name looks that somebody typed into the form."""
    assert invoke(commands.failback(SITE, "--help", "rehearsal", force=True).words("a test")) == InputError.exit_code
    assert "there is no run '--help'" in capsys.readouterr().err


def test_what_is_typed_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    """A value that begins with a dash stays the value of its option."""
    assert invoke(commands.run("dns-switch", "--approve=4f4f", "incident").words("a test")) == UnknownSite.exit_code
    assert "there is no site '--approve=4f4f'" in capsys.readouterr().err


def test_a_moment_without_a_time_zone_is_utc() -> None:
    """The command would refuse it, and the form means it so."""
    naive = datetime(2026, 1, 31, 2, 45)  # noqa: DTZ001 - the case
    assert commands.release_rollback(SITE, "incident", naive).command[-1] == "--since=2026-01-31T02:45:00+00:00"


def test_every_plan_waits_for_an_approval() -> None:
    """A form starts nothing that approves itself."""
    for wanted in WANTED:
        words = wanted.words("a test")
        assert "--await-approval" in words
        assert not any(word.startswith(("--automatic", "--approve")) for word in words)
