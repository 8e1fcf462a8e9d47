"""What lifecycles do to a copy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from defib.ready.check import State
from defib.replication.rules import Archiving, Expiry
from tests.replication.audit_stage import (
    found,
    pair,
    replica,
    rule,
    source,
)

OK, WARN, FAIL = State.OK, State.WARN, State.FAIL


def days(number: int) -> timedelta:
    """Short for a timedelta."""
    return timedelta(days=number)


class TestLifecycle:
    def test_that_deletes_at_the_replica_what_the_source_keeps(self) -> None:
        """A replica that forgets is none."""
        check = found(replica(expiries=(Expiry("old", current=days(30)),)), "lifecycle", "replica")
        assert check.state is FAIL
        assert check.text == "old deletes what it holds after 30 days: the source does not, or later"
        assert "take old out" in check.then

    @pytest.mark.parametrize(
        ("here", "there", "state"),
        [
            (Expiry("x", current=days(30)), Expiry("y", current=days(30)), OK),
            (Expiry("x", current=days(10)), Expiry("y", current=days(30)), OK),
            (Expiry("x", current=days(90)), Expiry("y", current=days(30)), FAIL),
            (Expiry("x", "tmp/", current=days(9)), Expiry("y", current=days(30)), FAIL),
            (Expiry("x", tags=(("a", "b"),), current=days(9)), Expiry("y", current=days(30)), FAIL),
            (Expiry("x", above=9, current=days(9)), Expiry("y", current=days(30)), FAIL),
            (Expiry("x", above=9, current=days(9)), Expiry("y", above=9, current=days(30)), OK),
            (Expiry("x", above=9, current=days(9)), Expiry("y", above=8, current=days(30)), FAIL),
            (Expiry("x", below=9, current=days(9)), Expiry("y", below=9, current=days(30)), OK),
            (Expiry("x", below=9, current=days(9)), Expiry("y", below=10, current=days(30)), FAIL),
            (Expiry("x", below=9, current=days(9)), Expiry("y", current=days(30)), FAIL),
            (Expiry("x", current=days(9)), Expiry("y", "tmp/", (("a", "b"),), days(30), below=7), OK),
            (Expiry("x", superseded=days(30)), Expiry("y", superseded=days(30)), OK),
            (Expiry("x", superseded=days(90)), Expiry("y", superseded=days(30)), WARN),
            (Expiry("x", superseded=days(9), kept=5), Expiry("y", superseded=days(30)), WARN),
            (Expiry("x", lone_markers=False), Expiry("y", lone_markers=True), OK),
            (
                Expiry("x", date=datetime(2030, 1, 1, tzinfo=UTC)),
                Expiry("y", date=datetime(2029, 1, 1, tzinfo=UTC)),
                FAIL,
            ),
            (
                Expiry("x", date=datetime(2030, 1, 1, tzinfo=UTC)),
                Expiry("y", date=datetime(2030, 1, 1, tzinfo=UTC)),
                OK,
            ),
        ],
    )
    def test_compared_with_that_of_the_source(self, here: Expiry, there: Expiry, state: State) -> None:
        """The replica may forget what the source forgets no later, and nothing else; older versions are a warning."""
        seen = replace(source(expiries=(here,)), replica=replica(expiries=(there,)).replica)
        assert found(seen, "lifecycle", "replica").state is state

    def test_that_is_about_something_else(self) -> None:
        """Canaries may go, and what the site file does not name."""
        expiries = (Expiry("canaries", ".defib-canary/", current=days(1)), Expiry("logs", "logs/", current=days(1)))
        seen = replace(pair(prefixes=("img/",)), replica=replica(expiries=expiries).replica)
        assert found(seen, "lifecycle", "replica").state is OK
        assert found(replica(expiries=expiries[:1]), "lifecycle", "replica").state is OK

    def test_of_the_source_makes_expected_extras(self) -> None:
        """S5: what it removes stays at the replica, which is said and is no fault."""
        check = found(source(expiries=(Expiry("old", "tmp/", current=days(30)),)), "lifecycle", "source")
        assert check.state is OK
        assert check.text.startswith("old under tmp/ deletes what it holds after 30 days: at the replica that stays")
        seen = replace(source(expiries=(Expiry("logs", "logs/", current=days(1)),)), pair=pair(prefixes=("img/",)).pair)
        assert found(seen, "lifecycle", "source").text == "removes nothing"


class TestStorageClass:
    def test_a_replica_in_the_archive(self) -> None:
        """It cannot be served for hours, written there by a rule or moved there by a lifecycle."""
        assert found(rule(storage_class="DEEP_ARCHIVE"), "storage-class").state is WARN
        check = found(replica(archivings=(Archiving("cold", "GLACIER", after=days(30)),)), "storage-class")
        assert check.state is WARN
        assert check.text.startswith("lifecycle cold moves to GLACIER after 30 days")

    def test_a_class_that_is_read_at_once(self) -> None:
        """Cheaper is not slower by itself."""
        assert found(rule(storage_class="GLACIER_IR"), "storage-class").state is OK

    @pytest.mark.parametrize(
        ("prefix", "here", "there", "state"),
        [
            ("", days(30), days(30), OK),
            ("", days(30), days(60), OK),
            ("", days(60), days(30), WARN),
            ("img/", days(30), days(30), WARN),
            ("", None, days(30), WARN),
            ("", None, None, OK),
        ],
    )
    def test_a_source_that_archives_as_well(
        self, prefix: str, here: timedelta | None, there: timedelta | None, state: State
    ) -> None:
        """What cannot be read at the source need not be readable at the replica."""
        seen = replace(
            source(archivings=(Archiving("cold", "GLACIER", prefix, here),)),
            replica=replica(archivings=(Archiving("cold", "GLACIER", after=there),)).replica,
        )
        assert found(seen, "storage-class").state is state
