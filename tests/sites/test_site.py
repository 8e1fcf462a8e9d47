"""Site files: a mistake is found when the file is read, with its line, and before anything uses it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defib.errors import SiteInvalid, UnknownSite
from defib.sites.site import Site, find_site, load_site
from defib.sites.values import parse_duration
from tests.stage import LAB, RUNBOOKS

TEXT = LAB.read_text(encoding="utf-8")


def line_of(text: str, part: str, nth: int = 1) -> int:
    """The number of the nth line that holds `part`."""
    return [number for number, line in enumerate(text.splitlines(), start=1) if part in line][nth - 1]


def refusal(tmp_path: Path, text: str) -> SiteInvalid:
    """The error with which this file is refused."""
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SiteInvalid) as caught:
        load_site(path)
    return caught.value


class TestLoading:
    """Reading a file."""

    @pytest.mark.parametrize("path", sorted((RUNBOOKS / "sites").glob("*.yaml")), ids=lambda path: path.stem)
    def test_files_that_come_with_it(self, path: Path) -> None:
        """Every site file of the repository can be read."""
        assert isinstance(load_site(path), Site)

    def test_primary_and_standbys(self) -> None:
        """Roles and fully qualified names."""
        site = load_site(LAB)
        assert (site.primary.name, [cdn.name for cdn in site.standbys]) == ("cloudfront", ["cloudflare"])
        assert site.steered.key.name == "www.pulse-trading.test."

    def test_unknown_key(self, tmp_path: Path) -> None:
        """E14: an unknown key is refused with file, line and the nearest key that exists."""
        text = TEXT.replace("  stable_for: 3s", "  stable_four: 3s")
        error = refusal(tmp_path, text)
        assert error.where == f"{tmp_path / 'site.yaml'}:{line_of(text, 'stable_four')}"
        assert error.what == "unknown key 'verification.stable_four'; did you mean 'stable_for'?"

    def test_unknown_key_in_a_list(self, tmp_path: Path) -> None:
        """E14: also inside a list and a choice of vendors."""
        text = TEXT.replace("    distribution: E2PULSETRADING", "    distribution: E2PULSETRADING\n    distributon: x")
        error = refusal(tmp_path, text)
        assert error.where.endswith(f":{line_of(text, 'distributon')}")
        assert "cdns.0.distributon" in error.what
        assert "'distribution'" in error.what

    @pytest.mark.parametrize(
        ("old", "new", "nth", "what"),
        [
            ("- {name: east, r", "- {name: north, r", 2, "observers.1.name: the name 'north' stands twice"),
            ("{name: resolver-4,", "{name: resolver-1,", 2, "resolvers.3.name: the name 'resolver-1' stands twice"),
            ("{name: ns-4,", "{name: ns-2,", 2, "dns.servers.3.name: the name 'ns-2' stands twice"),
            ("  - name: cloudflare\n", "  - name: cloudfront\n", 2, "cdns.1.name: the name 'cloudfront' stands twice"),
        ],
    )
    def test_duplicate_names(self, tmp_path: Path, old: str, new: str, nth: int, what: str) -> None:
        """E14: a name that stands twice is refused with the line of the second."""
        text = TEXT.replace(old, new)
        error = refusal(tmp_path, text)
        assert (error.what, error.where.rpartition(":")[2]) == (what, str(line_of(text, new.strip(), nth)))

    @pytest.mark.parametrize("value", [".nan", "-4h", "0s", ".inf", "-.inf", "4", "four hours", "null", "999999999999d"])
    def test_targets_that_are_none(self, tmp_path: Path, value: str) -> None:
        """E14: NaN, infinite, negative, zero or unreadable targets are refused with their line."""
        text = TEXT.replace("  rto: 4h", f"  rto: {value}")
        error = refusal(tmp_path, text)
        assert error.where.endswith(f":{line_of(text, '  rto:')}")
        assert "objectives.rto" in error.what

    @pytest.mark.parametrize(
        ("old", "new", "key"),
        [
            ("resolver: resolver-3}", "resolver: resolver-9}", "resolver-9"),
            ("  quorum: 2", "  quorum: 4", "  quorum: 4"),
            ("  resolvers_moved: 4", "  resolvers_moved: 7", "resolvers_moved"),
            ("  name: www.pulse-trading.test", "  name: www.elsewhere.test", "  name: www.else"),
            ("    role: secondary", "    role: primary", "cdns:"),
            ("address: 127.77.6.2,", "address: 192.0.2.1,", "lab: true"),
            ("  url: https://www", "  url: http://www", "page:"),
            ("(?P<built>", "(?P<bilt>", "page:"),
            ("token: file:lab/secrets/cloudflare-token", "token: s3cr3t-t0ken", "token:"),
            ("  interval: 1s", "  interval: 1s\n  interval: 2s", "  interval: 2s"),
            ("values: [127.77.9.1]", "values: [127.77.9.1, 127.77.9.1]", "values: [127.77.9.1, 127.77.9.1]"),
        ],
    )
    def test_parts_that_do_not_fit(self, tmp_path: Path, old: str, new: str, key: str) -> None:
        """Each is refused with the line of what is wrong."""
        text = TEXT.replace(old, new, 1) if "role" not in old else TEXT.replace(old, new)
        error = refusal(tmp_path, text)
        assert error.where == f"{tmp_path / 'site.yaml'}:{line_of(text, key)}"
        assert "s3cr3t" not in str(error)

    def test_all_mistakes_at_once(self, tmp_path: Path) -> None:
        """Nobody has to mend a file mistake by mistake."""
        error = refusal(tmp_path, TEXT.replace("  rto: 4h", "  rto: x").replace("  fall: 3", "  fall: 0"))
        assert "objectives.rto" in error.what
        assert f"line {line_of(TEXT, '  fall:')}: detection.fall" in error.what

    def test_merged_keys(self, tmp_path: Path) -> None:
        """A mistake in what was merged in from elsewhere is refused, not tripped over."""
        text = TEXT.replace("  aws: &aws\n", "  aws: &aws\n    regoin: x\n", 1).replace(
            "    aws: *aws", "    aws: {<<: *aws}"
        )
        assert "regoin" in refusal(tmp_path, text).what

    @pytest.mark.parametrize("content", ["", "[]", "7", "a: [", "\t", "site: lab\nsite: lab\n", "&a [*a]", "\x00"])
    def test_no_site_at_all(self, tmp_path: Path, content: str) -> None:
        """Whatever else is in the file is refused as a site file."""
        assert refusal(tmp_path, content).where.startswith(str(tmp_path / "site.yaml"))

    def test_unreadable(self, tmp_path: Path) -> None:
        """A folder, a file that is no text, and a missing one are refused by name."""
        (tmp_path / "latin.yaml").write_bytes(b"title: caf\xe9")
        for name in ("", "latin.yaml", "gone.yaml"):
            with pytest.raises(SiteInvalid, match="cannot read"):
                load_site(tmp_path / name)


class TestFinding:
    """Which file a name means."""

    def test_first_folder_wins(self, tmp_path: Path) -> None:
        """A running lab's file stands before the repository's."""
        (tmp_path / "lab.yaml").write_text(TEXT, encoding="utf-8")
        assert find_site("lab", tmp_path, RUNBOOKS / "sites") == tmp_path / "lab.yaml"
        assert find_site("lab", tmp_path / "none", RUNBOOKS / "sites") == LAB
        assert find_site(str(LAB), tmp_path) == LAB

    def test_unknown(self, tmp_path: Path) -> None:
        """A name that is none lists those that are."""
        with pytest.raises(UnknownSite) as caught:
            find_site("lba", RUNBOOKS / "sites")
        assert "lab" in caught.value.expected


class TestDurations:
    """How durations are written."""

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("4h", 14400), ("90s", 90), ("800ms", 0.8), ("1h 30m", 5400), ("1h30m", 5400), ("2d", 172800), ("0.5s", 0.5)],
    )
    def test_reads(self, text: str, seconds: float) -> None:
        """Numbers with units, one after the other."""
        assert parse_duration(text) == timedelta(seconds=seconds)

    @given(st.integers(1, 10**6), st.sampled_from([("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]))
    def test_any_whole_number_of_units(self, number: int, unit: tuple[str, int]) -> None:
        """Every whole number of every unit is exactly that."""
        name, milliseconds = unit
        assert parse_duration(f"{number}{name}") == number * timedelta(milliseconds=milliseconds)

    @given(st.text(max_size=40) | st.floats() | st.integers() | st.none() | st.from_regex(r"[0-9]{1,40}[a-z]{1,2}"))
    def test_anything_else_is_refused(self, value: object) -> None:
        """Whatever comes in, out comes a positive duration or a ValueError."""
        try:
            read = parse_duration(value)
        except ValueError:
            return
        assert read > timedelta(0)


class TestPeople:
    """The sections on who is told."""

    @pytest.mark.parametrize(
        ("old", "new", "key"),
        [
            ('"file:lab/secrets/alert-chat"', '"slack://s3cr3t-t0ken/x/y"', "name: chat"),
            ("kinds: [start,", "kinds: [begin,", "name: sms"),
            ("kinds: [start, decision-needed, failed]", "kinds: []", "name: sms"),
            ("name: mail,", "name: chat,", 'name: chat, url: "file:lab/secrets/alert-mail'),
            ("    provider: statuspage", "    provider: instatus", "- name: statuspage"),
            ("    page: pulsetradingpg", "    page: pulse/../other", "    page:"),
            ("prefix: lab/,", "prefix: lab,", "name: static-page"),
            ("    components: [webapplicatn]", "    component: webapplicatn", "    component:"),
        ],
    )
    def test_parts_that_do_not_fit(self, tmp_path: Path, old: str, new: str, key: str) -> None:
        """E13, E14: literal URLs, unknown kinds, keys and vendors, and names that stand twice are refused by line."""
        assert old in TEXT
        text = TEXT.replace(old, new)
        error = refusal(tmp_path, text)
        assert error.where == f"{tmp_path / 'site.yaml'}:{line_of(text, key)}"
        assert "s3cr3t" not in str(error)

    def test_nobody_needs_to_be_told(self, tmp_path: Path) -> None:
        """Both sections may be left out."""
        path = tmp_path / "site.yaml"
        path.write_text(TEXT[: TEXT.index("alerts:")] + TEXT[TEXT.index("trust:") :], encoding="utf-8")
        site = load_site(path)
        assert (site.alerts, site.status) == ((), ())


class TestBatchReplication:
    """Jobs are of an account."""

    @pytest.mark.parametrize("line", ["batch_role: arn:aws:iam::123456789012:role/jobs", "batch_report: reports"])
    def test_without_an_account_there_are_no_jobs(self, tmp_path: Path, line: str) -> None:
        """What says how they act says nothing then."""
        text = TEXT.replace('    account: "123456789012"', f"    {line}")
        text = "\n".join(each for each in text.split("\n") if "batch_role" not in each or each.strip() == line)
        assert "is for jobs of an account" in refusal(tmp_path, text).what

    def test_a_role_that_is_none(self, tmp_path: Path) -> None:
        """An ARN of a role, or nothing."""
        text = TEXT.replace("role/pulse-assets-batch-replication", "user/somebody")
        assert "batch_role" in refusal(tmp_path, text).what


class TestCanary:
    """What is below a canary's prefix is removed from both buckets for good, after each check."""

    @pytest.mark.parametrize("line", ['canary: ""', "canary: images", "canary: images/\n    prefixes: [images/site/]"])
    def test_a_prefix_that_others_use_is_refused(self, tmp_path: Path, line: str) -> None:
        """None at all is the whole bucket, and what is replicated below it would be gone."""
        text = TEXT.replace("    canary_within: 3s", f"    canary_within: 3s\n    {line}")
        assert "canary" in refusal(tmp_path, text).what


class TestInventory:
    """Where S3 writes what both buckets hold."""

    LINES = """
    inventory:
      source: {bucket: lists, prefix: daily/pulse-assets/all}
      replica: {bucket: lists-far, prefix: daily/pulse-assets-replica/all}
"""

    def test_of_both_sides(self, tmp_path: Path) -> None:
        """A bucket and a prefix each; who may list the bucket reads them."""
        path = tmp_path / "site.yaml"
        path.write_text(TEXT.replace("\n    canary_within: 3s\n", f"{self.LINES}    canary_within: 3s\n"), encoding="utf-8")
        told = load_site(path).replication[0].inventory
        assert told is not None
        assert (told.source.bucket, told.replica.prefix) == ("lists", "daily/pulse-assets-replica/all")

    @pytest.mark.parametrize(
        "gone", ["replica: {bucket: lists-far, prefix: daily/pulse-assets-replica/all}", ", prefix: daily/pulse-assets/all"]
    )
    def test_half_of_it_is_refused(self, tmp_path: Path, gone: str) -> None:
        """The lists of one side are no comparison, and a bucket alone may hold many."""
        lines = self.LINES.replace(gone, "")
        assert (
            "inventory"
            in refusal(tmp_path, TEXT.replace("\n    canary_within: 3s\n", f"{lines}    canary_within: 3s\n")).what
        )
