"""What the rules of a source say of what must be in its replica: what they select, and what they promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from defib.ready.check import Check, State
from defib.replication import remedies
from defib.replication.evidence import Evidence
from defib.replication.rules import BucketSettings, Rule, leading, rule_of
from defib.sites.replication import Replicated


def configuration(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """Whether there are rules at all, and any of them leads to this replica."""
    name, to = seen.pair.name, seen.pair.replica.bucket
    there = [rule for rule in source.rules if rule.destination == to]
    if made_otherwise(seen.pair, source):
        text = "S3 replicates nothing: something else makes the replica, and how old it is is known from comparing alone"
        yield Check("rules", name, State.OK, text)
    elif not source.rules:
        yield Check("rules", name, State.FAIL, "no replication is configured: nothing is copied", _edit(seen, "write rules"))
    elif not there:
        others = ", ".join(sorted({rule.destination for rule in source.rules}))
        text = f"no rule leads to s3://{to}, only to {others}"
        yield Check("rules", name, State.FAIL, text, _edit(seen, f"add a rule to arn:aws:s3:::{to}"))
    else:
        on = leading(source.rules, to)
        state = State.OK if on else State.FAIL
        text = f"{len(on)} of {len(there)} rules to s3://{to} enabled"
        yield Check("rules", name, state, text, "" if on else _enable(seen, there))


def prefixes(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """Whether all that the site file names is selected: a rule that selects a part of it leaves the rest behind."""
    if made_otherwise(seen.pair, source):
        return
    there = [rule for rule in source.rules if rule.destination == seen.pair.replica.bucket]
    for prefix in seen.pair.prefixes or ("",):
        yield _prefix(seen, prefix, there)


def priorities(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """Whether it is clear which of several rules counts, and whether each counts for something."""
    rules = leading(source.rules, seen.pair.replica.bucket)
    equal = [
        f"{one.id} and {other.id} have priority {one.priority}"
        for one, other in combinations(rules, 2)
        if one.priority == other.priority and overlap(one.prefix, other.prefix)
    ]
    hidden = [f"{rule.id} never counts: {over.id} comes before it" for rule in rules if (over := _over(rule, rules))]
    if equal or hidden:
        then = _edit(seen, "give every rule a priority of its own, the narrower the higher")
        yield Check("priorities", seen.pair.name, State.WARN, "; ".join((*equal, *hidden)), then)
    elif rules:
        yield Check("priorities", seen.pair.name, State.OK, "no rule hides another")


def canary(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """Whether a rule leads from the canary's prefix to the replica; else it would never arrive, and prove nothing."""
    if made_otherwise(seen.pair, source):
        return
    prefix = seen.pair.canary
    rule = rule_of(source.rules, seen.pair.replica.bucket, prefix, {})
    if rule is None:
        text = f"no rule leads from {prefix} to the replica: a canary would never arrive"
        then = _edit(seen, f"add a rule for {prefix}")
        yield Check("canary", seen.pair.name, State.FAIL, text, then)
        return
    others = [each.id for each in effective(seen.pair, source) if each.id != rule.id]
    text = f"rule {rule.id} leads from {prefix} to the replica"
    text += f"; it says nothing of {', '.join(others)}" if others else ""
    yield Check("canary", seen.pair.name, State.OK, text)


def delete_markers(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """What becomes of deletions; either is a choice, and both at once are rarely meant."""
    rules = effective(seen.pair, source)
    those, not_those = [rule.id for rule in rules if rule.markers], [rule.id for rule in rules if not rule.markers]
    about = "delete-markers", seen.pair.name
    if those and not_those:
        text = f"replicated by {', '.join(those)} and not by {', '.join(not_those)}: deletions reach a part of the replica"
        yield Check(*about, State.WARN, text, _edit(seen, "set DeleteMarkerReplication the same in all rules"))
    elif those:
        text = "replicated, in no promised time: what is deleted is deleted at the replica too, where its versions stay"
        yield Check(*about, State.OK, text)
    elif not_those:
        text = "not replicated: what is deleted stays at the replica, and comes back with it"
        yield Check(*about, State.OK, text)


def replication_time(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """Whether S3 promises a time (Replication Time Control), and one that the recovery point can be kept with."""
    about, rpo = ("replication-time", seen.pair.name), seen.pair.rpo or seen.objectives.rpo
    rules = effective(seen.pair, source)
    without = [rule.id for rule in rules if rule.rtc is None]
    late = [f"{rule.id} within {_minutes(rule)}" for rule in rules if rule.rtc is not None and rule.rtc > rpo]
    if without:
        text = f"S3 promises no time for {', '.join(without)}: replication may take hours"
        yield Check(*about, State.WARN, text, _edit(seen, "set ReplicationTime and Metrics to Enabled, 15 minutes"))
    elif late:
        text = f"S3 promises {', '.join(late)}, the objective is {rpo.total_seconds() / 60:g} min"
        yield Check(*about, State.WARN, text, "a shorter objective than S3's 15 minutes needs another way of copying")
    elif rules:
        yield Check(*about, State.OK, f"S3 promises {', '.join(f'{rule.id} within {_minutes(rule)}' for rule in rules)}")


def metrics(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """Whether CloudWatch tells how far behind the replica is."""
    rules = effective(seen.pair, source)
    without = [rule.id for rule in rules if not rule.metrics]
    if without:
        text = f"off for {', '.join(without)}: how far the replica is behind is known from comparing alone"
        yield Check("metrics", seen.pair.name, State.WARN, text, _edit(seen, "set Metrics to Enabled"))
    elif rules:
        yield Check("metrics", seen.pair.name, State.OK, "CloudWatch is told of every rule")


def made_otherwise(pair: Replicated, source: BucketSettings) -> bool:
    """Whether something else than S3 makes the replica, as the site file allows it to."""
    return pair.unversioned and not source.rules


def effective(pair: Replicated, source: BucketSettings) -> tuple[Rule, ...]:
    """The rules by which what the site file names is replicated."""
    rules = leading(source.rules, pair.replica.bucket)
    wanted = pair.prefixes or ("",)
    return tuple(rule for rule in rules if any(overlap(rule.prefix, each) for each in wanted) and _over(rule, rules) is None)


def overlap(one: str, other: str) -> bool:
    """Whether keys can begin with both."""
    return one.startswith(other) or other.startswith(one)


def _prefix(seen: Evidence, prefix: str, rules: Sequence[Rule]) -> Check:
    about = f"{seen.pair.name}: {prefix or 'everything'}"
    whole = [rule for rule in rules if prefix.startswith(rule.prefix)]
    on = [rule for rule in whole if rule.enabled and not rule.tags]
    if on:
        return Check("prefixes", about, State.OK, f"replicated by {', '.join(rule.id for rule in on)}")
    tagged = [rule for rule in whole if rule.enabled]
    parts = [rule for rule in rules if rule.enabled and rule.prefix.startswith(prefix) and rule not in whole]
    off = [rule for rule in whole if not rule.enabled]
    why = [
        *(f"{rule.id} selects only what is tagged {_tags(rule)}" for rule in tagged),
        *(f"{rule.id} selects only what begins with {rule.prefix}" for rule in parts),
        *(f"{rule.id} is disabled" for rule in off),
    ]
    if tagged:
        then = _edit(seen, f"take the tags out of the filter of {tagged[0].id}")
        return Check("prefixes", about, State.WARN, f"replicated in part: {'; '.join(why)}", then)
    how = f"replicated in part: {'; '.join(why)}" if parts else f"not replicated: {'; '.join(why) or 'no rule selects it'}"
    return Check("prefixes", about, State.FAIL, how, _widen(seen, prefix, parts, off))


def _widen(seen: Evidence, prefix: str, parts: Sequence[Rule], off: Sequence[Rule]) -> str:
    if off:
        return _enable(seen, off)
    wanted = prefix or "everything"
    return _edit(seen, f"let the filter of {parts[0].id} be {wanted}" if parts else f"add a rule for {wanted}")


def _over(rule: Rule, rules: Sequence[Rule]) -> Rule | None:
    """The rule that counts wherever `rule` would."""
    for other in rules:
        wider = rule.prefix.startswith(other.prefix) and set(other.tags) <= set(rule.tags)
        if other.priority > rule.priority and wider:
            return other
    return None


def _enable(seen: Evidence, rules: Sequence[Rule]) -> str:
    return _edit(seen, f"set Status of {', '.join(rule.id for rule in rules)} to Enabled")


def _edit(seen: Evidence, how: str) -> str:
    return remedies.edit_rules(seen.pair.source.bucket, seen.pair.source.aws.region, how)


def _tags(rule: Rule) -> str:
    return ", ".join(f"{name}={value}" for name, value in rule.tags)


def _minutes(rule: Rule) -> str:
    return f"{rule.rtc.total_seconds() / 60:g} min" if rule.rtc else "no time"
