"""``defib fleet``: one digest over all plans, and one row a site."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT, Defib, LabMaker

LAB = ROOT / "runbooks" / "sites" / "lab.yaml"


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab whose primary CDN refuses."""
    defib = make_lab("127.83")
    broken = defib("lab", "break", "cloudfront", "refuse")
    assert broken.code == 0, broken
    return defib


def sites_of(lab: Defib, folder: Path) -> str:
    """Two site files: the lab's own, and one that is wrong."""
    good = (lab.home / "lab" / "sites" / "lab.yaml").read_text(encoding="utf-8")
    (folder / "good.yaml").write_text(good, encoding="utf-8")
    (folder / "wrong.yaml").write_text(good.replace("  quorum: 2", "  quorun: 2", 1), encoding="utf-8")
    return f"{folder}/*.yaml"


def test_plan_then_switch_what_was_planned(lab: Defib, tmp_path: Path) -> None:
    """A site that cannot be planned is a row with its reason; the digest switches the others, each by its own plan."""
    sites = sites_of(lab, tmp_path)
    planned = lab("fleet", "cdn-failover", "--sites", sites, "--json")
    good, wrong = planned.json["sites"]
    assert (planned.code, good["why"], wrong["digest"]) == (10, None, None)
    assert "quorun" in wrong["why"]
    text = lab("fleet", "cdn-failover", "--sites", sites)
    assert f"--approve {planned.json['digest'][:12]}" in text.out
    assert "1 site left out" in text.out
    ended = lab(
        "fleet", "cdn-failover", "--sites", sites, "--mode", "rehearsal", "--approve", planned.json["digest"], "--json"
    )
    (row,) = ended.json["sites"]
    assert (row["site"], row["status"]) == ("good", "recovered"), ended
    assert Path(row["report"]).is_file()
    again = lab("verify", row["run_id"], "--json")
    assert again.json["intact"]


def test_a_digest_that_was_not_shown_is_refused(lab: Defib, tmp_path: Path) -> None:
    """Nothing is switched by a digest that no plan of a fleet had here, nor for sites that are no longer named."""
    sites = sites_of(lab, tmp_path)
    refused = lab("fleet", "cdn-failover", "--sites", sites, "--approve", "0123456789ab")
    assert refused.code == 4, refused
    assert "no plan of a fleet" in refused.err
    digest = lab("fleet", "cdn-failover", "--sites", str(tmp_path), "--force", "--json").json["digest"]
    fewer = lab("fleet", "cdn-failover", "--sites", f"{tmp_path}/wrong.yaml", "--approve", digest)
    assert fewer.code == 2, fewer
    assert "not among --sites" in fewer.err


def test_a_site_that_is_linked_is_one_site(lab: Defib, tmp_path: Path) -> None:
    """A file and a link to it are planned once, so that what is approved is what was shown."""
    sites_of(lab, tmp_path)
    (tmp_path / "linked.yaml").symlink_to(tmp_path / "good.yaml")
    planned = lab("fleet", "cdn-failover", "--sites", f"{tmp_path}/[gl]*.yaml", "--force", "--json")
    assert [site["site"] for site in planned.json["sites"]] == ["good"], planned


def test_no_site_fits(defib: Defib) -> None:
    """A pattern that fits no site file says what would."""
    ended = defib("fleet", "cdn-failover", "--sites", "nothing-*")
    assert ended.code == 12, ended
    assert "nothing-*" in ended.err
