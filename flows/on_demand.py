"""The procedures as flows that people and automations start from Prefect: one each, with parameters that make a form.

A worker takes them by their entrypoints, ``flows.on_demand.cdn_failover`` and so on; ``prefect.yaml`` deploys them. Each
starts the very command that a person would type, as a process of its own, and follows it: see :mod:`flows.following`.
Every plan waits for an approval, a rehearsal's too: in the form of the paused flow run, or by ``defib approve``.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows import commands
from flows.following import carry_out
from flows.forms import (
    CommitId,
    Forced,
    Into,
    ModeChoice,
    Moment,
    PairName,
    Prefix,
    Remote,
    Repository,
    RunName,
    SideChoice,
    Since,
    SiteChoice,
)


@flow(name="cdn-failover", persist_result=False)
def cdn_failover(site: SiteChoice, mode: ModeChoice = "incident", since: Since = None, force: Forced = False) -> State[Any]:
    """The primary CDN fails while the origin is fine: send users to the secondary."""
    return carry_out(commands.run("cdn-failover", site, mode, since, force=force))


@flow(name="dns-switch", persist_result=False)
def dns_switch(site: SiteChoice, mode: ModeChoice = "incident", since: Since = None, force: Forced = False) -> State[Any]:
    """The hosting platform fails, whatever CDN is in front: send users to the backup host."""
    return carry_out(commands.run("dns-switch", site, mode, since, force=force))


@flow(name="aws-redeploy", persist_result=False)
def aws_redeploy(
    site: SiteChoice,
    mode: ModeChoice = "incident",
    since: Since = None,
    commit: CommitId = "",
    force: Forced = False,
) -> State[Any]:
    """Every host fails: build the site from Git and serve it from AWS."""
    return carry_out(commands.run("aws-redeploy", site, mode, since, commit=commit, force=force))


@flow(name="release-rollback", persist_result=False)
def release_rollback(site: SiteChoice, mode: ModeChoice = "incident", since: Since = None) -> State[Any]:
    """A release on AWS is bad: serve the one before it."""
    return carry_out(commands.release_rollback(site, mode, since))


@flow(name="standby-prepare", persist_result=False)
def standby_prepare(site: SiteChoice, mode: ModeChoice = "incident") -> State[Any]:
    """Make what the last resort on AWS lacks, in peace."""
    return carry_out(commands.run("standby-prepare", site, mode))


@flow(name="failback", persist_result=False)
def failback(site: SiteChoice, run: RunName, mode: ModeChoice = "incident", force: Forced = False) -> State[Any]:
    """Take back what a recovery changed, once the primary is stable again."""
    return carry_out(commands.failback(site, run, mode, force=force))


@flow(name="git-mirror", persist_result=False)
def git_mirror(site: SiteChoice, mode: ModeChoice = "incident", force: Forced = False) -> State[Any]:
    """Bring every repository to all of its mirrors, with a person who approves what the mirrors would lose."""
    return carry_out(commands.run("git-mirror", site, mode, force=force))


@flow(name="git-promote", persist_result=False)
def git_promote(
    site: SiteChoice, to: Remote, repository: Repository = "", mode: ModeChoice = "incident", force: Forced = False
) -> State[Any]:
    """The source of a repository is lost: take it from one of its mirrors."""
    return carry_out(commands.promote(site, to, repository, mode, force=force))


@flow(name="replication-repair", persist_result=False)
def replication_repair(site: SiteChoice, mode: ModeChoice = "incident", force: Forced = False) -> State[Any]:
    """Bring the replica what it lacks or holds wrongly."""
    return carry_out(commands.run("replication-repair", site, mode, force=force))


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
    return carry_out(commands.restore(site, at, prefix, pair, side, into, since, mode, force=force))
