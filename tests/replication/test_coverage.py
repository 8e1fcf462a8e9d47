"""What rules select and promise: each point is found where it is wrong, and found well where it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from defib.ready.check import State
from defib.replication.audit import audit
from defib.replication.evidence import Evidence
from tests.replication.audit_stage import (
    RULE,
    WELL,
    WELL_SOURCE,
    found,
    pair,
    replica,
    rule,
    source,
    wrong,
)

OK, WARN, FAIL = State.OK, State.WARN, State.FAIL


def days(number: int) -> timedelta:
    """Short for a timedelta."""
    return timedelta(days=number)


class TestRules:
    def test_none_at_all(self) -> None:
        """A source without a replication configuration copies nothing."""
        check = found(source(rules=(), role=""), "rules")
        assert (check.state, check.text) == (FAIL, "no replication is configured: nothing is copied")
        assert "put-bucket-replication --bucket assets --region us-east-1" in check.then

    def test_none_that_leads_to_this_replica(self) -> None:
        """Rules to other buckets do not help this one."""
        check = found(rule(destination="elsewhere"), "rules")
        assert (check.state, check.text) == (FAIL, "no rule leads to s3://assets-copy, only to elsewhere")

    def test_all_disabled(self) -> None:
        """Rules that are there and off copy nothing."""
        check = found(rule(enabled=False), "rules")
        assert (check.state, check.text) == (FAIL, "0 of 1 rules to s3://assets-copy enabled")
        assert "set Status of all to Enabled" in check.then

    def test_none_where_something_else_makes_the_replica(self) -> None:
        """The site file may say that S3 does not make the replica: then nothing is asked of rules."""
        seen = replace(pair(unversioned=True), source=replace(WELL_SOURCE, rules=(), role=""))
        assert found(seen, "rules").text.startswith("S3 replicates nothing: something else makes the replica")
        assert "prefixes" not in {check.name for check in audit(seen)}
        assert wrong(seen) == {}


class TestPrefixes:
    def test_each_is_judged_by_itself(self) -> None:
        """Of two prefixes one may be covered and the other not."""
        seen = replace(pair(prefixes=("img/", "doc/")), source=rule(prefix="img/").source)
        assert found(seen, "prefixes", "img/").state is OK
        check = found(seen, "prefixes", "doc/")
        assert (check.state, check.text) == (FAIL, "not replicated: no rule selects it")
        assert "add a rule for doc/" in check.then

    def test_a_rule_that_was_narrowed(self) -> None:
        """S10: what begins otherwise is left behind, and the rule is named."""
        check = found(rule(prefix="img/"), "prefixes")
        assert (check.state, check.about) == (FAIL, "assets: everything")
        assert check.text == "replicated in part: all selects only what begins with img/"
        assert "let the filter of all be everything" in check.then

    def test_a_rule_that_is_disabled(self) -> None:
        """S10: it would select it, and does not."""
        check = found(rule(enabled=False), "prefixes")
        assert (check.state, check.text) == (FAIL, "not replicated: all is disabled")
        assert "set Status of all to Enabled" in check.then

    def test_a_rule_for_what_is_tagged(self) -> None:
        """Objects without the tag stay behind; that may be meant, so it is a warning."""
        check = found(rule(tags=(("keep", "yes"),)), "prefixes")
        assert (check.state, check.text) == (WARN, "replicated in part: all selects only what is tagged keep=yes")

    def test_a_wide_rule_behind_a_narrow_one(self) -> None:
        """Whatever else there is, a rule for all of it covers all of it."""
        narrow = replace(RULE, id="img", prefix="img/", priority=2)
        assert found(source(rules=(narrow, RULE)), "prefixes").state is OK


class TestPriorities:
    def test_two_that_are_equal(self) -> None:
        """Which of two rules counts must not be left to chance."""
        twin = replace(RULE, id="twin", prefix="img/")
        check = found(source(rules=(RULE, twin)), "priorities")
        assert (check.state, check.text) == (WARN, "all and twin have priority 1")

    def test_equal_ones_that_never_meet(self) -> None:
        """Rules for different prefixes do not contend."""
        rules = (replace(RULE, prefix="doc/"), replace(RULE, id="img", prefix="img/"))
        assert found(source(rules=rules), "priorities").state is OK

    def test_one_that_is_hidden(self) -> None:
        """A narrow rule below a wide one never counts, and none of its settings does."""
        narrow = replace(RULE, id="img", prefix="img/", priority=0, metrics=False)
        seen = source(rules=(RULE, narrow))
        check = found(seen, "priorities")
        assert (check.state, check.text) == (WARN, "img never counts: all comes before it")
        assert found(seen, "metrics").state is OK

    def test_a_narrow_rule_above_a_wide_one(self) -> None:
        """The usual order is well."""
        narrow = replace(RULE, id="img", prefix="img/", priority=2)
        assert found(source(rules=(RULE, narrow)), "priorities").state is OK

    def test_a_rule_that_is_off_hides_nothing(self) -> None:
        """Only enabled rules contend."""
        over = replace(RULE, id="over", priority=9, enabled=False)
        assert found(source(rules=(RULE, over)), "priorities").state is OK


class TestCanary:
    def test_no_rule_leads_from_its_prefix(self) -> None:
        """S12, S13: a canary that cannot arrive proves nothing, and would be waited for in vain."""
        check = found(rule(prefix="img/"), "canary")
        assert check.state is FAIL
        assert check.text == "no rule leads from .defib-canary/ to the replica: a canary would never arrive"

    def test_a_rule_for_tagged_objects_does_not_take_it(self) -> None:
        """A canary has no tags."""
        assert found(rule(tags=(("keep", "yes"),)), "canary").state is FAIL

    def test_a_rule_of_its_own(self) -> None:
        """It then proves that rule, and says so."""
        rules = (replace(RULE, prefix="img/"), replace(RULE, id="canary", prefix=".defib-canary/"))
        seen = replace(pair(prefixes=("img/",)), source=replace(WELL_SOURCE, rules=rules))
        check = found(seen, "canary")
        assert (check.state, check.text) == (
            OK,
            "rule canary leads from .defib-canary/ to the replica; it says nothing of all",
        )

    @pytest.mark.parametrize("seen", [source(retention=days(3), lock=True), replica(retention=days(3), lock=True)])
    def test_a_bucket_that_locks_whatever_is_written(self, seen: Evidence) -> None:
        """S13: it is to be cleaned up in both buckets, and cannot be while it is locked."""
        assert found(seen, "canary", "clean-up").state is WARN


class TestDeleteMarkers:
    @pytest.mark.parametrize(
        ("markers", "words"), [(True, "is deleted at the replica too"), (False, "stays at the replica")]
    )
    def test_either_is_a_choice(self, markers: bool, words: str) -> None:
        """S4: what it means is said."""
        check = found(rule(markers=markers), "delete-markers")
        assert check.state is OK
        assert words in check.text

    def test_both_at_once(self) -> None:
        """Deletions that reach a part of the replica are rarely meant."""
        other = replace(RULE, id="img", prefix="img/", priority=2, markers=False)
        check = found(source(rules=(RULE, other)), "delete-markers")
        assert (check.state, check.text) == (
            WARN,
            "replicated by all and not by img: deletions reach a part of the replica",
        )


class TestTimeAndMetrics:
    def test_no_time_is_promised(self) -> None:
        """Without Replication Time Control S3 promises nothing."""
        check = found(rule(rtc=None), "replication-time")
        assert check.state is WARN
        assert "S3 promises no time for all" in check.text

    def test_a_time_is_promised(self) -> None:
        """It is said, and which."""
        assert found(WELL, "replication-time").text == "S3 promises all within 15 min"

    def test_a_time_that_is_later_than_the_objective(self) -> None:
        """Fifteen minutes keep no objective of five; the pair's own counts before the site's."""
        check = found(pair(rpo=timedelta(minutes=5)), "replication-time")
        assert (check.state, check.text) == (WARN, "S3 promises all within 15 min, the objective is 5 min")

    def test_a_time_that_is_just_the_objective(self) -> None:
        """What arrives at the very end of it has met it."""
        assert found(pair(rpo=timedelta(minutes=15)), "replication-time").state is OK

    def test_metrics_that_are_off(self) -> None:
        """S11: then nobody but a comparison knows how far behind it is."""
        check = found(rule(metrics=False), "metrics")
        assert check.state is WARN
        assert "known from comparing alone" in check.text
        assert "set Metrics to Enabled" in check.then

    def test_metrics_of_a_rule_for_something_else(self) -> None:
        """Rules that the site file asks nothing of are not judged."""
        rules = (replace(RULE, prefix="img/"), replace(RULE, id="logs", prefix="logs/", metrics=False))
        seen = replace(pair(prefixes=("img/",)), source=replace(WELL_SOURCE, rules=rules))
        assert found(seen, "metrics").state is OK
