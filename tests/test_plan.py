"""Plans: a digest stands for a content, and brakes keep a plan to what it may touch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from defib.errors import Refused
from defib.plan import Change, Plan
from defib.ports import RecordChange, RecordKey, RecordSet
from tests.stage import ROOT

names = st.from_regex(r"[a-z]{1,8}\.example\.", fullmatch=True)
keys = st.builds(RecordKey, names, st.sampled_from(["A", "CNAME"]), st.sampled_from(["", "blue"]))
pairs = st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=2).map(tuple)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any plan."""
    changes = []
    for key in draw(st.lists(keys, max_size=3, unique=True)):
        sides = st.builds(
            RecordSet,
            st.just(key),
            st.integers(0, 86400).map(lambda number: timedelta(seconds=number)),
            st.lists(names, min_size=1, max_size=2).map(tuple),
            pairs,
        )
        change = RecordChange(draw(st.none() | sides), draw(sides))
        changes.append(Change(draw(st.text(max_size=5)), "zone", (change,), draw(st.text(max_size=9))))
    return Plan("cdn-failover", "lab", tuple(changes))


KEY = RecordKey("www.example.org.", "CNAME")
BEFORE = RecordSet(KEY, timedelta(seconds=60), ("a.example.",))
AFTER = replace(BEFORE, values=("b.example.",))
CHANGE = Change("route53", "Z1", (RecordChange(BEFORE, AFTER),), "send users to b")
PLAN = Plan("cdn-failover", "lab", (CHANGE,))


@given(plans())
def test_digest_is_of_the_content(plan: Plan) -> None:
    """A plan that went through JSON, in whatever object, has the same digest."""
    adapter = TypeAdapter(Plan)
    again = adapter.validate_json(adapter.dump_json(plan))
    assert again == plan
    assert again is not plan
    assert again.digest() == plan.digest()


@given(plans(), plans())
def test_digests_differ_where_contents_do(one: Plan, other: Plan) -> None:
    """Two plans have one digest exactly where they are equal."""
    assert (one.digest() == other.digest()) == (one == other)


@given(plans(), st.data())
def test_any_change_of_content_changes_the_digest(plan: Plan, data: st.DataObject) -> None:
    """TTL, order, purpose, vendor, procedure, site: nothing is outside of what is approved."""
    others = [replace(plan, site="other"), replace(plan, procedure="other")]
    for number, change in enumerate(plan.changes):
        after = change.records[0].after
        assert after is not None
        longer = replace(change.records[0], after=replace(after, ttl=after.ttl + timedelta(seconds=1)))
        edits = (replace(change, purpose=change.purpose + "."), replace(change, records=(longer,)), change.reversed())
        before, after_it = plan.changes[:number], plan.changes[number + 1 :]
        others += [replace(plan, changes=(*before, edit, *after_it)) for edit in edits]
    if len(plan.changes) > 1:
        others.append(replace(plan, changes=plan.changes[::-1]))
    assert plan.digest() not in {other.digest() for other in others}


def test_digest_is_the_same_in_another_process() -> None:
    """Neither time nor process nor hash seed is part of the digest."""
    program = "from tests.test_plan import PLAN; print(PLAN.digest())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == PLAN.digest()


def test_digest_stands() -> None:
    """The digest of a plan that was approved in an earlier version is still its digest."""
    tree = json.dumps(TypeAdapter(Plan).dump_python(PLAN, mode="json"), sort_keys=True)
    assert '"ttl": "PT1M"' in tree
    assert PLAN.short_digest == PLAN.digest()[:12]


@pytest.mark.parametrize(("length", "matches"), [(64, True), (12, True), (11, False), (0, False)])
def test_how_much_of_a_digest_counts(length: int, matches: bool) -> None:
    """At least twelve digits, in either case, and all of them right."""
    assert PLAN.matches(PLAN.digest()[:length].upper()) is matches
    assert not PLAN.matches(PLAN.digest()[:20] + "x")
    assert not PLAN.matches(PLAN.digest() + "0")


def test_reversed_change_undoes() -> None:
    """Before and after change places; twice is where it was."""
    assert CHANGE.reversed().records == (RecordChange(AFTER, BEFORE),)
    assert CHANGE.reversed().reversed().records == CHANGE.records


class TestBrakes:
    """What no plan may do."""

    def test_lets_the_named_set_pass(self) -> None:
        """The one record set that the procedure may change."""
        PLAN.brake({KEY})

    def test_another_record_set(self) -> None:
        """D17: anything but what is allowed is refused by name."""
        with pytest.raises(Refused, match=r"would change www\.example\.org\. CNAME"):
            PLAN.brake({RecordKey("www.example.org.", "A")})

    def test_twice(self) -> None:
        """One record set is changed once."""
        with pytest.raises(Refused, match="twice"):
            replace(PLAN, changes=(CHANGE, CHANGE)).brake({KEY})

    def test_deletion(self) -> None:
        """D16: a name that users ask is never taken away."""
        gone = replace(CHANGE, records=(RecordChange(BEFORE, None),))
        with pytest.raises(Refused, match="would delete"):
            replace(PLAN, changes=(gone,)).brake({KEY})
