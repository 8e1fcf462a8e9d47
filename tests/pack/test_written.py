"""A pack on the disk: the same things are the same bytes, nothing is written over, and no secret is in it."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from defib.errors import InputError, Refused
from defib.pack.secrets import known, refuse_secrets, wanted
from defib.pack.sheet import sheet
from defib.pack.written import INSIDE, SUMS, write
from defib.sites.site import load_site
from tests.stage import RUNBOOKS

CONTENTS = {"defib": b"#!/bin/sh\n", "sites/a.yaml": b"site: a\n", "b/c.txt": b"c"}
PULSE = load_site(RUNBOOKS / "sites" / "pulse-trading.yaml")


def test_a_folder_and_an_archive_are_the_same_pack(tmp_path: Path) -> None:
    """One digest; in both, what starts it may be run, and the checksums are of what is there."""
    digest = write(CONTENTS, tmp_path / "pack")
    assert write(CONTENTS, tmp_path / "pack.tar.gz") == digest
    with tarfile.open(tmp_path / "pack.tar.gz") as archive:
        for member in archive:  # not all at once: Debian's Python 3.11 knows no filter for that
            archive.extract(member, tmp_path / "opened")
    for folder in (tmp_path / "pack", tmp_path / "opened" / INSIDE):
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        assert {line[66:]: line[:64] for line in lines} == {
            path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in CONTENTS
        }
        assert os.access(folder / "defib", os.X_OK)
        assert not os.access(folder / "b" / "c.txt", os.X_OK)


def test_the_same_things_are_the_same_bytes(tmp_path: Path) -> None:
    """Made twice, in another order, under another name: byte for byte one archive, so that two can be compared."""
    for name, order in (("one", sorted(CONTENTS)), ("two", sorted(CONTENTS, reverse=True))):
        write({path: CONTENTS[path] for path in order}, tmp_path / f"{name}.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A folder with anything in it, and a file of that name, stay as they are."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine", encoding="utf-8")
    (tmp_path / "pack.tar.gz").write_text("mine", encoding="utf-8")
    for target in ("full", "pack.tar.gz"):
        with pytest.raises(InputError):
            write(CONTENTS, tmp_path / target)
    assert (tmp_path / "pack.tar.gz").read_text(encoding="utf-8") == "mine"


def test_a_planted_secret_is_found_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value that a reference of the site leads to is looked for in every file; the refusal names the place alone."""
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "q8d-planted-7Zk")
    redact = known([PULSE], tmp_path)
    refuse_secrets({"runbooks/x.md": b"no secret here"}, redact)
    with pytest.raises(Refused) as refused:
        refuse_secrets({"a": b"fine", "runbooks/x.md": b"one\ncurl -H 'X: q8d-planted-7Zk'\n"}, redact)
    assert refused.value.where == "runbooks/x.md:2"
    assert "planted" not in str(refused.value)


def test_what_looks_like_a_secret_in_a_site_file(tmp_path: Path) -> None:
    """A literal that no reference knows is refused too, where people write of their own sites."""
    text = b"acceptance:\n  command: [check, --api-key, ghp_0123456789abcdefghij]\n"
    with pytest.raises(Refused):
        refuse_secrets({"sites/a.yaml": text}, known([PULSE], tmp_path))


def test_the_secrets_that_must_be_at_hand() -> None:
    """Each reference once, with every place that wants it; the values are nobody's here."""
    found = {each.reference: each for each in wanted([PULSE])}
    assert found["env:CLOUDFLARE_API_TOKEN"].how == "export CLOUDFLARE_API_TOKEN=…"
    assert found["env:CLOUDFLARE_API_TOKEN"].places == ("pulse-trading: cdns[cloudflare].token",)
    assert "AWS_PROFILE" in found["aws:"].how


def test_pages_hold_text_alone() -> None:
    """What a site file or a runbook says in HTML shows as text, and the page asks nothing of anybody."""
    page = sheet("<b>title", '# A\n\n<script>alert(1)</script>\n\n<img src="https://evil.test/x">\n').decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "<title>&lt;b&gt;title</title>" in page
    assert "default-src 'none'" in page
    assert "url(" not in page
