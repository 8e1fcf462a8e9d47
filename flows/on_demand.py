"""The procedures as flows that people and automations start from Prefect: one each, with parameters that make a form.

A worker takes them by their entrypoints, ``flows.on_demand.cdn_failover`` and so on; ``prefect.yaml`` deploys them. Each
starts the very command that a person would type, as a process of its own, and follows it: see :mod:`flows.following`.
Every plan waits for an approval, a rehearsal's too: in the form of the paused flow run, or by ``defib approve``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.following import Wanted, carry_out
from flows.forms import (
    CommitId,
    Forced,
    Into,
    ModeChoice,
    Moment,
    PairName,
    Prefix,
    RaisedBy,
    Remote,
    Repository,
    RunName,
    SideChoice,
    Since,
    SiteChoice,
)


@flow(name="cdn-failover", persist_result=False)
def cdn_failover(
    site: SiteChoice, mode: ModeChoice = "incident", since: Since = None, force: Forced = False, raised_by: RaisedBy = ""
) -> State[Any]:
    """The primary CDN fails while the origin is fine: send users to the secondary."""
    return _run("cdn-failover", site, mode, since, force=force, raised_by=raised_by)


@flow(name="dns-switch", persist_result=False)
def dns_switch(
    site: SiteChoice, mode: ModeChoice = "incident", since: Since = None, force: Forced = False, raised_by: RaisedBy = ""
) -> State[Any]:
    """The hosting platform fails, whatever CDN is in front: send users to the backup host."""
    return _run("dns-switch", site, mode, since, force=force, raised_by=raised_by)


@flow(name="aws-redeploy", persist_result=False)
def aws_redeploy(
    site: SiteChoice,
    mode: ModeChoice = "incident",
    since: Since = None,
    commit: CommitId = "",
    force: Forced = False,
    raised_by: RaisedBy = "",
) -> State[Any]:
    """Every host fails: build the site from Git and serve it from AWS."""
    return _run("aws-redeploy", site, mode, since, _said("--commit", commit), force=force, raised_by=raised_by)


@flow(name="release-rollback", persist_result=False)
def release_rollback(site: SiteChoice, mode: ModeChoice = "incident", since: Since = None) -> State[Any]:
    """A release on AWS is bad: serve the one before it."""
    return carry_out(Wanted(site, ["release", "rollback", *_on(site, mode), *_since(since)]))


@flow(name="standby-prepare", persist_result=False)
def standby_prepare(site: SiteChoice, mode: ModeChoice = "incident") -> State[Any]:
    """Make what the last resort on AWS lacks, in peace."""
    return _run("standby-prepare", site, mode, None)


@flow(name="failback", persist_result=False)
def failback(site: SiteChoice, run: RunName, mode: ModeChoice = "incident", force: Forced = False) -> State[Any]:
    """Take back what a recovery changed, once the primary is stable again."""
    return carry_out(Wanted(site, ["failback", f"--mode={mode}", *_flag("--force", given=force)], run))


@flow(name="git-mirror", persist_result=False)
def git_mirror(site: SiteChoice, mode: ModeChoice = "incident", force: Forced = False) -> State[Any]:
    """Bring every repository to all of its mirrors, with a person who approves what the mirrors would lose."""
    return _run("git-mirror", site, mode, None, force=force)


@flow(name="git-promote", persist_result=False)
def git_promote(
    site: SiteChoice, to: Remote, repository: Repository = "", mode: ModeChoice = "incident", force: Forced = False
) -> State[Any]:
    """The source of a repository is lost: take it from one of its mirrors."""
    command = ["git", "promote", *_on(site, mode), f"--to={to}", *_said("--repository", repository)]
    return carry_out(Wanted(site, [*command, *_flag("--force", given=force)]))


@flow(name="replication-repair", persist_result=False)
def replication_repair(site: SiteChoice, mode: ModeChoice = "incident", force: Forced = False) -> State[Any]:
    """Bring the replica what it lacks or holds wrongly."""
    return _run("replication-repair", site, mode, None, force=force)


@flow(name="asset-restore", persist_result=False)
def asset_restore(
    site: SiteChoice,
    at: Moment,
    prefix: Prefix = "",
    pair: PairName = "",
    side: SideChoice = "source",
    into: Into = "",
    since: Since = None,
    mode: ModeChoice = "incident",
    force: Forced = False,
) -> State[Any]:
    """Make a bucket, or a part of it, what it was at a moment."""
    command = ["assets", "restore", *_on(site, mode), f"--at={_stamp(at)}", f"--from={side}", *_since(since)]
    command += [*_said("--prefix", prefix), *_said("--pair", pair), *_said("--into", into)]
    return carry_out(Wanted(site, [*command, *_flag("--force", given=force)]))


def _run(
    procedure: str,
    site: str,
    mode: str,
    since: datetime | None,
    more: list[str] | None = None,
    *,
    force: bool = False,
    raised_by: str = "",
) -> State[Any]:
    command = ["run", procedure, *_on(site, mode), *_since(since), *(more or [])]
    command += [*_flag("--force", given=force), *_flag("--automatic", given=bool(raised_by))]
    return carry_out(Wanted(site, command, raised_by=raised_by))


def _on(site: str, mode: str) -> list[str]:
    """Options with their values in one word each, here and below: what begins with a dash is no option of its own."""
    return [f"--site={site}", f"--mode={mode}"]


def _since(since: datetime | None) -> list[str]:
    return [] if since is None else [f"--since={_stamp(since)}"]


def _stamp(at: datetime) -> str:
    """A moment with its time zone, UTC where none was given: a form of Prefect's sends one always."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()


def _said(option: str, value: str) -> list[str]:
    return [f"{option}={value}"] if value else []


def _flag(option: str, *, given: bool) -> list[str]:
    return [option] if given else []
