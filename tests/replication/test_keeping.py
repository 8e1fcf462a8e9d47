"""Whether two buckets fit together: versions, regions, locks and owners."""

from __future__ import annotations

from dataclasses import replace

import pytest

from defib.ready.check import State
from tests.replication.audit_stage import (
    ELSEWHERE,
    WELL_SOURCE,
    found,
    pair,
    replica,
    rule,
    source,
)

OK, WARN, FAIL = State.OK, State.WARN, State.FAIL


class TestVersioning:
    @pytest.mark.parametrize(("status", "words"), [("Suspended", "suspended"), ("", "never turned on")])
    def test_off_at_the_replica(self, status: str, words: str) -> None:
        """S10: everything that is written then fails to be replicated; one command turns it on."""
        check = found(replica(versioning=status), "versioning", "replica")
        assert (check.state, check.text) == (FAIL, f"{words}: everything fails to be replicated")
        command = "aws s3api put-bucket-versioning --bucket assets-copy --region eu-west-1"
        assert check.then == f"{command} --versioning-configuration Status=Enabled"

    def test_off_at_the_source(self) -> None:
        """Without versions there is no replication."""
        assert found(source(versioning=""), "versioning", "source").state is FAIL

    def test_off_where_the_site_file_does_without(self) -> None:
        """A pair that is compared without versions, and made by something else, is warned of what it loses."""
        seen = replace(pair(unversioned=True), source=replace(WELL_SOURCE, rules=(), role="", versioning=""))
        check = found(seen, "versioning", "source")
        assert (check.state, check.text) == (WARN, "never turned on: what is written over is lost")


class TestRegion:
    def test_both_buckets_in_one(self) -> None:
        """A region takes both with it."""
        check = found(replica(region="us-east-1"), "other-region")
        assert (check.state, check.text) == (FAIL, "both buckets are in us-east-1: the replica is lost with the source")

    def test_another_one_than_the_site_file_says(self) -> None:
        """Calls would go to the wrong region on the day when it counts."""
        check = found(replica(region="ap-south-1"), "region", "replica")
        assert check.state is FAIL
        assert "put region: ap-south-1 into the site file" in check.then
        assert found(source(region="us-west-2"), "region", "source").state is FAIL


class TestObjectLock:
    @pytest.mark.parametrize(
        ("here", "there", "state"),
        [(False, False, OK), (True, True, OK), (True, False, FAIL), (False, True, WARN)],
    )
    def test_on_both_sides_or_on_neither(self, here: bool, there: bool, state: State) -> None:
        """A locked source is replicated to a locked bucket alone."""
        seen = replace(source(lock=here), replica=replica(lock=there).replica)
        assert found(seen, "object-lock").state is state


class TestOwnership:
    def test_access_control_lists_at_the_replica(self) -> None:
        """They let replicas belong to somebody else than the replica's owner."""
        check = found(replica(owner=""), "ownership")
        assert (check.state, check.text) == (WARN, "access control lists count at the replica (ObjectWriter)")
        assert "put-bucket-ownership-controls --bucket assets-copy --region eu-west-1" in check.then

    def test_replicas_of_another_account(self) -> None:
        """Without a change of owner, whoever has the replica may not read it."""
        seen = replace(rule(account=ELSEWHERE), replica=replica(owner="ObjectWriter").replica)
        assert found(seen, "ownership").state is FAIL

    def test_rules_that_change_the_owner(self) -> None:
        """The other way to the same end."""
        seen = replace(rule(account=ELSEWHERE, owner_changes=True), replica=replica(owner="ObjectWriter").replica)
        assert found(seen, "ownership").state is OK
