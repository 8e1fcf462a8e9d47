"""``defib git promote`` in the real lab: GitHub is lost, GitLab becomes the source, and the way back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from defib.lab import process
from tests.cli.test_mirror import MAIN, at, refs
from tests.conftest import Defib, LabMaker

NET = "127.88"


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


@pytest.fixture(autouse=True)
def healed(lab: Defib) -> Iterator[None]:
    """Nothing stays broken."""
    yield
    process.heal(lab.home)


def promote(lab: Defib, to: str, *more: str) -> tuple[str, ...]:
    """A rehearsal."""
    return ("git", "promote", "--site", "lab", "--to", to, "--mode", "rehearsal", "--no-prefect", *more)


def test_there_and_back(lab: Defib) -> None:
    """The source is lost: a mirror takes its place; what is pushed there goes to the old one once it is back."""
    assert lab("mirror", "--site", "lab", "--no-prefect").code == 0
    process.break_(lab.home, "github", "refuse")
    assert lab(*promote(lab, "gitlab")).code == 0
    new = at(lab, "gitlab").commit({"index.html": "after"}, refs(lab, "gitlab")[MAIN])
    red = lab("mirror", "--site", "lab", "--json", "--no-prefect")
    assert (red.code, red.json["mirrors"][0]["mirror"]) == (1, "github")
    process.heal(lab.home)
    green = lab("mirror", "--site", "lab", "--json", "--no-prefect")
    assert (green.code, green.json["mirrors"][0]["source"], refs(lab, "github")[MAIN]) == (0, "gitlab", new)
    assert lab(*promote(lab, "github")).code == 0
    back = lab("mirror", "--site", "lab", "--json", "--no-prefect")
    assert (back.code, back.json["mirrors"][0]["mirror"]) == (0, "gitlab")


def test_the_command_after_a_plan_is_of_the_same_repository(lab: Defib) -> None:
    """What is printed to be typed next names the repository, or its digest would be of another plan."""
    assert lab("mirror", "--site", "lab", "--no-prefect").code == 0
    process.break_(lab.home, "github", "refuse")
    planned = lab("git", "promote", "--site", "lab", "--repository", "lab", "--to", "gitlab", "--plan")
    assert (planned.code, "git promote --site lab --repository lab --to gitlab --approve" in planned.out) == (0, True)


def test_a_source_that_is_well_is_not_left(lab: Defib) -> None:
    """Who would lose sight of what the source has is refused; so is a mirror that does not exist."""
    assert lab("mirror", "--site", "lab", "--no-prefect").code == 0
    at(lab, "github").commit({"index.html": "newer"}, refs(lab, "github")[MAIN])
    refused = lab(*promote(lab, "gitlab"))
    assert (refused.code, "github answers, and gitlab is not as it is" in refused.out + refused.err) == (4, True)
    wrong = lab(*promote(lab, "codeberg"))
    assert (wrong.code, "lab@gitlab" in wrong.out + wrong.err) == (1, True)


def test_a_mirror_that_lacks_something_is_no_source(lab: Defib) -> None:
    """What was mirrored once and is gone from the mirror keeps it from being promoted."""
    assert lab("mirror", "--site", "lab", "--no-prefect").code == 0
    process.break_(lab.home, "github", "refuse")
    process.break_(lab.home, "gitlab", "behind", {"commits": 1})
    refused = lab(*promote(lab, "gitlab"))
    assert (refused.code, "gitlab lacks" in refused.out + refused.err) == (4, True)
