"""``defib export`` writes what the site file says, for other tools, and asks nobody."""

from __future__ import annotations

import json
from pathlib import Path

from defib.providers.standby.terraform import terraform
from defib.redeploy.groundwork import groundwork
from defib.redeploy.place import host_of
from defib.sites.site import load_site
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


def test_iam_for_people_and_for_programs(defib: Defib) -> None:
    """Policies that can be copied, with what each is for, the scopes of tokens with their sources, and what is not known."""
    told = defib("export", "iam", "--site", "pulse-trading", "--procedure", "cdn-failover").out
    assert "# cdn-failover, act, AWS's default chain of credentials" in told
    assert "Zone: Cache Purge: Purge" in told
    assert "https://developers.cloudflare.com/" in told
    found = defib("export", "iam", "--site", "pulse-trading", "--json").json
    assert found["account"] == "123456789012"
    assert {each["procedure"] for each in found["policies"]} >= {"cdn-failover", "readiness", "all"}
    assert {each["kind"] for each in found["policies"]} == {"read", "act"}


def test_iam_as_files(defib: Defib) -> None:
    """One for each policy, as AWS's own command line takes it."""
    ended = defib("export", "iam", "--site", "pulse-trading", "-p", "readiness", "--to", str(defib.home / "policies"))
    assert (ended.code, "aws iam create-policy" in ended.err) == (0, True)
    (file,) = (defib.home / "policies").iterdir()
    assert (file.name, json.loads(file.read_text(encoding="utf-8"))["Version"]) == ("readiness-read.json", "2012-10-17")


def test_iam_refuses_what_it_does_not_know(defib: Defib) -> None:
    """A procedure that is none, an account and a key that are none: one message each."""
    for words, told in (
        (("-p", "cdn-failver"), "no permissions are known of 'cdn-failver'"),
        (("--account", "12"), "no id of an AWS account"),
        (("--kms-key", "mine"), "no ARN of a KMS key"),
    ):
        ended = defib("export", "iam", "--site", "pulse-trading", *words)
        assert (ended.code, told in ended.err) == (2, True)
