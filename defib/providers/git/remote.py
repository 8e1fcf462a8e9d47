"""One remote as `git` reaches it: what it holds, what is fetched from it, and what it says to each ref that is pushed."""

from __future__ import annotations

import base64
import re
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, TypeVar
from urllib.parse import urlsplit

from defib.clock import Deadline
from defib.errors import BudgetSpent, SecretMissing, Unavailable
from defib.providers.git.command import GitCommand, Setting
from defib.providers.git.exchange import bring, send
from defib.providers.git.listing import Reading, list_refs
from defib.providers.git.outgoing import Move, Outgoing
from defib.providers.git.smart_http import SmartHttp
from defib.providers.git.ssh import Ssh
from defib.providers.git.trouble import read_trouble
from defib.providers.proxy import on_loopback
from defib.redact import Redactor
from defib.redeploy.offer import Trouble
from defib.sites.git import Remote

_LISTED = re.compile(r"^([0-9a-f]{40}(?:[0-9a-f]{24})?)\t([^\t\n]+)$", re.MULTILINE)
_ONLY = {"refs/heads/": "--heads", "refs/tags/": "--tags"}
FETCH = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
_PUSHED = re.compile(r"^([ +\-*!=])\t([^\t]*):([^\t:]+)\t(.*)$")
_REASON = re.compile(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)$")


T = TypeVar("T")


class Troubled(Exception):
    """Somebody has nothing to give, or does not take what is given: the kind of it, and what to tell people."""

    def __init__(self, trouble: Trouble, problem: str) -> None:
        super().__init__(problem)
        self.trouble = trouble
        self.problem = problem


@dataclass(frozen=True)
class Pushed:
    """What became of one ref that was pushed; `why` is empty where the remote took it or had it already.

    `ours` says that git itself refused, before anything was sent: the ref would lose what it has.
    """

    ref: str
    why: str = ""
    ours: bool = False


Login = Callable[[], tuple[str, str]]
"""Gives user and password, asked anew each time; :class:`SecretMissing` where they cannot be had."""


class GitRemote:
    """Speaks with what is at `url` out of the repository of `git`. A folder of this machine is a remote as well.

    `pushed` is told which refs may lead elsewhere there, once they were pushed, whatever became of it. `reading` may be
    shared by remotes that mostly hold the same.
    """

    def __init__(
        self,
        git: GitCommand,
        name: str,
        url: str,
        login: Login | None = None,
        ssh: Ssh | None = None,
        *,
        pushed: Callable[[Collection[str]], None] = lambda _: None,
        reading: Reading | None = None,
    ) -> None:
        self.name = name
        self.url = url
        self._git = git
        self._login = login
        self._ssh = ssh
        self._pushed = pushed
        self._reading = reading or Reading()

    @classmethod
    def of(cls, git: GitCommand, remote: Remote, secrets: Callable[[str], str], reading: Reading | None = None) -> GitRemote:
        """The remote of a site file; `secrets` turns a reference into its value."""
        token, key = remote.token, remote.key
        if key is not None and remote.url.startswith("ssh://"):
            url = f"ssh://{remote.user}@{remote.url.removeprefix('ssh://')}"
            return cls(git, remote.name, url, ssh=Ssh(remote.url, remote.host_key, lambda: secrets(key)))
        login = (lambda: (remote.user, secrets(token))) if token else None
        return cls(git, remote.name, remote.url, login, reading=reading)

    def refs(self, *under: str, within: Deadline) -> dict[str, str]:
        """The refs that begin with one of `under` (all of them without any), with what they lead to.

        :class:`Troubled` where nobody says.
        """
        told = self._over_http("ls-remote", lambda there: list_refs(there, under, self._reading, within))
        return self._asked_by_git(under, within) if told is None else told

    def brought(self, moves: Sequence[Move], *, within: Deadline) -> bool:
        """Whether these refs of the repository were moved on to what was brought; False where :meth:`fetch` must do it."""
        return bool(self._over_http("fetch", lambda there: bring(there, self._git, moves, within)))

    def taken(self, moves: Sequence[Move], outgoing: Outgoing, most: int = 0, *, within: Deadline) -> bool:
        """Whether these refs were moved on there, by `most` bytes; False where :meth:`push` must do it, or say why not."""
        return bool(self._over_http("push", lambda there: send(there, outgoing, moves, most, within)))

    def _over_http(self, command: str, work: Callable[[SmartHttp], T]) -> T | None:
        """Do `work` without `git`; None where it is not spoken with over HTTP."""
        if not self.url.startswith(("https://", "http://")):
            return None
        try:
            return work(SmartHttp(self.url, self._authorization(Redactor())))
        except SecretMissing as error:
            raise _without_secret(error) from error
        except (Unavailable, BudgetSpent) as error:
            raise _no_answer(command) from error

    def _asked_by_git(self, under: Sequence[str], within: Deadline) -> dict[str, str]:
        options = [_ONLY[each] for each in under if each in _ONLY]
        options = options if len(options) == len(under) else []
        patterns = [] if options else [f"{each}*" for each in under]
        with tempfile.TemporaryFile() as file:  # thousands of lines, of which none is searched for secrets
            self._ask("ls-remote", "--quiet", "--refs", *options, self.url, *patterns, within=within, into=file)
            file.seek(0)
            listed = _LISTED.findall(file.read().decode(errors="replace"))
        return {ref: commit for commit, ref in listed if ref.startswith(under or "refs/")}

    def fetch(self, refspecs: Sequence[str], tips: Sequence[str] = (), *, within: Deadline) -> str:
        """Bring what `refspecs` say into the repository; what git said meanwhile. :class:`Troubled` where it could not.

        The remote is told of no commits but those up to `tips`, where there are any, and sends what they do not hold.
        """
        known = [f"--negotiation-tip={tip}" for tip in tips]
        return self._ask("fetch", *FETCH, *known, self.url, *refspecs, within=within)

    def push(
        self,
        refspecs: Sequence[str],
        *,
        within: Deadline,
        leases: Mapping[str, str] | None = None,
        atomic: bool = False,
        dry: bool = False,
    ) -> tuple[Pushed, ...]:
        """Push `refspecs` in one go, and what became of each; :class:`Troubled` where nothing became of any.

        Without `leases` nothing is ever lost by it: git takes back no commit, and moves no tag, unless it is told to. With
        them exactly those refs are moved or deleted that still lead where the lease says. `dry` only asks what would become.
        """
        options = [f"--force-with-lease={ref}:{before}" for ref, before in (leases or {}).items()]
        options += [flag for flag, wanted in (("--atomic", atomic), ("--dry-run", dry)) if wanted]
        lines: list[str] = []
        command = ("push", "--porcelain", "--no-verify", *options, self.url, *refspecs)
        try:
            told = self._run(*command, within=within, line=lines.append)
        finally:
            if not dry:
                self._pushed([refspec.rpartition(":")[2] for refspec in refspecs])
        found = [match for match in map(_PUSHED.match, lines) if match]
        if not found and told.status:
            raise Troubled(*read_trouble(told.output))
        return tuple(_pushed(match[1], match[3], match[4], lines) for match in found)

    def _ask(self, *arguments: str, within: Deadline, into: BinaryIO | None = None) -> str:
        told = self._run(*arguments, within=within, into=into)
        if told.status:
            raise Troubled(*read_trouble(told.output))
        return told.output

    def _run(
        self,
        *arguments: str,
        within: Deadline,
        line: Callable[[str], None] | None = None,
        into: BinaryIO | None = None,
    ) -> Told:
        redact = Redactor()
        stack = ExitStack()
        try:
            settings = self._settings(redact)
            environment = stack.enter_context(self._ssh.opened()) if self._ssh else {}
        except SecretMissing as error:
            raise _without_secret(error) from error
        protocol = urlsplit(self.url).scheme or "file"
        told = (lambda text: line(redact(text))) if line else None
        with stack:
            return run(
                self._git,
                *arguments,
                protocol=protocol,
                settings=settings,
                environment=environment,
                within=within,
                redact=redact,
                line=told,
                into=into,
            )

    def _settings(self, redact: Redactor) -> list[Setting]:
        """How to log in, and past which proxy."""
        settings = [(f"http.{self.url}.proxy", "")] if on_loopback(self.url) else []
        if authorization := self._authorization(redact):
            settings.append((f"http.{self.url}.extraHeader", f"Authorization: {authorization}"))
        return settings

    def _authorization(self, redact: Redactor) -> str:
        """The value of that header, "" where nobody logs in."""
        if self._login is None:
            return ""
        user, password = self._login()
        login = f"{user}:{redact.learn(password)}"
        return f"Basic {redact.learn(base64.b64encode(login.encode()).decode())}"


@dataclass(frozen=True)
class Told:
    """How a command ended, without secrets."""

    status: int
    output: str


def run(
    git: GitCommand,
    *arguments: str,
    within: Deadline,
    protocol: str = "",
    settings: Sequence[Setting] = (),
    environment: Mapping[str, str] | None = None,
    redact: Callable[[str], str] = str,
    line: Callable[[str], None] | None = None,
    into: BinaryIO | None = None,
) -> Told:
    """Run `git`; :class:`Troubled` where it did not end in its time."""
    try:
        finished = git.run(
            *arguments, protocol=protocol, settings=settings, environment=environment, within=within, line=line, into=into
        )
    except BudgetSpent as error:
        raise _no_answer(arguments[0]) from error
    return Told(finished.status, redact(finished.output))


def _no_answer(command: str) -> Troubled:
    return Troubled(Trouble.UNREACHABLE, f"{Trouble.UNREACHABLE}: no answer to git {command} in its time")


def _without_secret(error: SecretMissing) -> Troubled:
    return Troubled(Trouble.DENIED, f"{Trouble.DENIED}: {error}")


def answer(git: GitCommand, *arguments: str, within: Deadline, protocol: str = "") -> str:
    """What `git` says of what lies on this machine, or :class:`Troubled`."""
    told = run(git, *arguments, protocol=protocol, within=within)
    if told.status:
        raise Troubled(*read_trouble(told.output))
    return told.output


def _pushed(flag: str, ref: str, summary: str, lines: Sequence[str]) -> Pushed:
    if flag != "!":
        return Pushed(ref)
    reason = _REASON.search(summary)
    why = reason[1] if reason else summary
    if summary.startswith("[rejected]"):
        return Pushed(ref, why, ours=True)
    said = [line.removeprefix("remote: ").strip() for line in lines if line.startswith("remote: ")]
    return Pushed(ref, "; ".join(filter(None, dict.fromkeys((why, *said))))[:500])
