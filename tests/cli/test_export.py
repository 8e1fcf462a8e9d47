"""``defib export`` writes what the site file says, for other tools, and asks nobody."""

from __future__ import annotations

from pathlib import Path

from defib.providers.standby.terraform import terraform
from defib.redeploy.groundwork import groundwork
from defib.redeploy.place import host_of
from defib.site import load_site
from tests.conftest import ROOT, Defib

SITE = load_site(ROOT / "runbooks" / "sites" / "lab-aws.yaml")


def test_standby_is_printed_as_terraform(defib: Defib) -> None:
    """The text on stdout, ready to be redirected; no lab is up, no secret is there."""
    ended = defib("export", "terraform", "--site", "lab-aws")
    assert (ended.code, ended.out, ended.err) == (0, terraform(groundwork(SITE, host_of(SITE))), "")


def test_standby_is_written_to_a_file(defib: Defib, tmp_path: Path) -> None:
    """The same in a file, and what comes next."""
    ended = defib("export", "terraform", "--site", "lab-aws", "--to", str(tmp_path / "standby.tf"))
    assert (ended.code, ended.out) == (0, "")
    assert (tmp_path / "standby.tf").read_text() == terraform(groundwork(SITE, host_of(SITE)))
    assert "terraform init" in ended.err


def test_site_without_standby_is_told_so(defib: Defib) -> None:
    """Nothing is written of what is not there."""
    ended = defib("export", "terraform", "--site", "lab-armed")
    assert (ended.code, ended.out) == (2, "")
    assert "s3-cloudfront" in ended.err


def test_file_that_cannot_be_written_is_told(defib: Defib, tmp_path: Path) -> None:
    """A folder that is not there is bad input, not a defect."""
    ended = defib("export", "terraform", "--site", "lab-aws", "--to", str(tmp_path / "no" / "standby.tf"))
    assert ended.code == 2
    assert "Traceback" not in ended.err
