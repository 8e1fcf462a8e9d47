"""A pack in an empty place: nothing but Python and git, no index, an empty home; a drill is run from it alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Defib, Ended

NET = "127.167"
PLANTED = "q8d-planted-7Zk"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of the example site, made while a secret of it is at hand, and moved away from where it was made."""
    made = tmp_path_factory.mktemp("made")
    packing = Defib(made, {"CLOUDFLARE_API_TOKEN": PLANTED})
    ended = packing("pack", "--to", str(made / "pack"), "--site", "pulse-trading", "--wheels", "installed", "--json")
    assert ended.code == 0, ended
    assert ended.json["wheels"] > 100
    again = packing("pack", "--to", str(made / "pack"), "--site", "pulse-trading")
    assert (again.code, "the folder is not empty" in again.err) == (2, True)
    place = tmp_path_factory.mktemp("elsewhere") / "pack"
    shutil.move(made / "pack", place)
    return place


def alone(pack: Path, *command: str, **more: str) -> Ended:
    """A command as somebody runs it who has the pack: no setting of this machine but where programs are."""
    home = pack.parent / "empty-home"
    home.mkdir(exist_ok=True)
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PIP_NO_INDEX": "1", "PYTHON": str(python), **more}
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=900, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def test_what_was_packed_is_whole_until_somebody_changes_it(packed: Path) -> None:
    """The checksums hold; one changed byte is named, and what is changed is not installed."""
    assert alone(packed, str(packed / "verify")).code == 0
    wheel = next((packed / "wheels").rglob("h11-*.whl"))
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:-1] + b"x")
    try:
        told = alone(packed, str(packed / "verify"))
        assert told.code != 0
        assert wheel.name in told.out + told.err
        refused = alone(packed, str(packed / "defib"), "--version")
        assert (refused.code, "is not what was packed" in refused.err) == (2, True)
    finally:
        wheel.write_bytes(whole)


def test_no_secret_is_in_it(packed: Path) -> None:
    """Not the planted one, in no file; the page names where it is wanted."""
    held = [path for path in packed.rglob("*") if path.is_file() and PLANTED.encode() in path.read_bytes()]
    assert held == []
    assert "`export CLOUDFLARE_API_TOKEN=…`" in (packed / "HOW-TO.md").read_text(encoding="utf-8")


def test_every_page_that_is_linked_is_there(packed: Path) -> None:
    """By its relative path, wherever the folder is."""
    text = (packed / "HOW-TO.html").read_text(encoding="utf-8")
    links = [part.partition('"')[0] for part in text.split('href="')[1:]]
    assert len(links) > 10
    assert [link for link in links if not (packed / link).is_file()] == []


def test_a_drill_from_the_pack_alone(packed: Path) -> None:
    """Fault, recovery, failback, proof and no residue, with what is in the pack; its evidence stays in the pack's home."""
    ended = alone(
        packed, str(packed / "defib"), "drill", "cdn-failover", "--site", "lab", "--json", "--no-prefect", "--net", NET
    )
    assert ended.code == 0, ended
    told = json.loads(ended.out)
    assert (told["status"], told["rto"]["verdict"], told["rpo"]["verdict"], told["residue"]) == (
        "recovered",
        "met",
        "met",
        [],
    )
    assert Path(told["report"]).is_relative_to(packed / "home")
    assert list((packed.parent / "empty-home").iterdir()) == []


def test_it_knows_the_packed_site(packed: Path) -> None:
    """By its name, and asks for the secrets that it is not given, one by one."""
    ended = alone(packed, str(packed / "defib"), "plan", "cdn-failover", "--site", "pulse-trading")
    assert (ended.code, "CLOUDFLARE_API_TOKEN" in ended.err) == (15, True)
    exported = alone(packed, str(packed / "defib"), "export", "iam", "--site", "pulse-trading", "--json")
    assert exported.json["site"] == "pulse-trading"
