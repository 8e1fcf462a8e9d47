"""The audit of a pair as a whole: what is red, what is well, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from defib.ready.check import State
from defib.replication.audit import audit
from defib.replication.authority import Key
from defib.replication.evidence import Evidence, Unseen
from tests.replication.audit_stage import (
    KEY_THERE,
    PAIR,
    WELL,
    encrypted,
    found,
    replica,
    role,
    rule,
    source,
    wrong,
)

OK, UNKNOWN, FAIL = State.OK, State.UNKNOWN, State.FAIL


def test_a_pair_that_is_configured_as_it_should_be() -> None:
    """Every point is judged, and none is found wrong; nothing that is well asks for anything to be done."""
    checks = audit(WELL)
    assert {check.state for check in checks} == {OK}
    assert {check.name for check in checks} == {
        "bucket", "region", "other-region", "versioning", "rules", "prefixes", "priorities", "canary", "delete-markers",
        "replication-time", "metrics", "role", "role-trust", "role-permissions", "bucket-policy", "encryption", "lifecycle",
        "object-lock", "ownership", "storage-class",
    }  # fmt: skip
    assert all(check.about.startswith("assets") and not check.then for check in checks)


@pytest.mark.parametrize(
    ("spoilt", "name"),
    [
        (rule(enabled=False), "prefixes"),
        (rule(prefix="img/"), "prefixes"),
        (role(there=False), "role"),
        (encrypted(there=Key(KEY_THERE, False, "Disabled", KEY_THERE)), "key"),
        (replica(versioning="Suspended"), "versioning"),
    ],
)
def test_what_stops_replication_is_red_even_if_contents_match(spoilt: Evidence, name: str) -> None:
    """S10: rule disabled, prefix narrowed, role lost, KMS key disabled, versioning suspended on the replica."""
    assert wrong(spoilt)[name] is FAIL


class TestWhatIsNotSeen:
    def test_a_replica_region_that_refuses_all_calls(self) -> None:
        """S15: its side is unknown, and the source is audited all the same."""
        unreachable = Unseen(State.UNKNOWN, "unreachable", "get bucket versioning: no answer")
        checks = audit(replace(rule(enabled=False), replica=unreachable))
        assert {check.name: check.state for check in checks if check.about.endswith("replica")} == {
            "bucket": UNKNOWN,
            "region": UNKNOWN,
            "versioning": UNKNOWN,
        }
        whole = {check.name: check.state for check in checks}
        assert (whole["rules"], whole["prefixes"], whole["role"]) == (FAIL, FAIL, OK)
        assert (whole["object-lock"], whole["ownership"], whole["other-region"]) == (UNKNOWN, UNKNOWN, UNKNOWN)
        (check,) = [check for check in checks if check.name == "versioning" and check.about.endswith("replica")]
        assert check.text == "cannot be told without the replica's versioning: unreachable"

    def test_a_replica_that_is_not_there(self) -> None:
        """No bucket is a failure, and what hangs on it is not called good."""
        seen = replace(WELL, replica=Unseen(FAIL, "not there", "NoSuchBucket", "check the ids in the site file"))
        check = found(seen, "bucket", "replica")
        assert (check.state, check.text) == (FAIL, "s3://assets-copy is not there: NoSuchBucket")

    def test_a_source_that_is_not_reached(self) -> None:
        """The replica is looked at all the same."""
        seen = replace(WELL, source=Unseen(UNKNOWN, "unreachable", "no answer"), role=None)
        assert found(seen, "versioning", "replica").state is OK
        assert found(seen, "rules").state is UNKNOWN

    @pytest.mark.parametrize(
        ("part", "names"),
        [
            ("lock", {"object-lock"}),
            ("kms_key", {"encryption", "key"}),
            ("expiries", {"lifecycle", "storage-class"}),
            ("policy", {"bucket-policy"}),
            ("region", {"region", "other-region"}),
        ],
    )
    def test_a_part_that_may_not_be_read(self, part: str, names: set[str]) -> None:
        """Promise 10: what depends on it is unknown, with the reason, and all else is judged."""
        seen = source(unread=((part, "AccessDenied: not yours"),))
        bucket, *unknown = [check for check in audit(seen) if check.state is UNKNOWN]
        assert {check.name for check in unknown} == names
        assert all("AccessDenied: not yours" in check.text for check in unknown)
        assert (bucket.name, bucket.about) == ("bucket", "assets: source")
        assert bucket.text == f"s3://assets does not tell of its {part.replace('_', ' ')}"
        assert bucket.then.startswith("allow s3:")


def test_pairs_are_told_apart() -> None:
    """A site may have several."""
    seen = replace(WELL, pair=PAIR.model_copy(update={"name": "videos"}))
    assert all(check.about.startswith("videos") for check in audit(seen))
