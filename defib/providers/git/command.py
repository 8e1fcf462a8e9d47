"""`git` as a closed process: it reads no configuration but ours, runs nothing that a repository brings, and ends in time.

Plain processes and not GitPython: what is at stake is the environment, the process group and the deadline of each command.
GitPython starts from the environment of this process, keeps `git cat-file` processes that outlive a command, and has
time-outs of its own that know nothing of our deadlines and interruptions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from defib.clock import Deadline
from defib.process import Finished, run_command

_KEPT = (
    "PATH",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
)
"""What of our environment `git` needs to reach anybody. Not HOME: ~/.gitconfig names programs, and ~/.netrc passwords."""

_FIXED = {
    "LC_ALL": "C",  # its messages are read
    "HOME": os.devnull,
    "XDG_CONFIG_HOME": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_PROTOCOL_FROM_USER": "0",
}

TOLERATED = ("badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode")
"""Flaws of old tools in the history of honest repositories, which Gitaly tolerates too:
https://gitlab.com/gitlab-org/gitaly/-/blob/master/internal/git/command_options.go
"""

_CONFIG = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.askPass", ""),
    ("credential.helper", ""),
    ("core.attributesFile", os.devnull),
    ("core.protectHFS", "true"),  # .git in the spellings of other systems: who builds may mount the tree there
    ("core.protectNTFS", "true"),
    ("core.symlinks", "true"),
    ("core.autocrlf", "false"),
    ("core.sparseCheckout", "false"),
    ("transfer.fsckObjects", "true"),
    *((f"fetch.fsck.{name}", "ignore") for name in TOLERATED),
    ("fetch.recurseSubmodules", "false"),
    ("submodule.recurse", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("fetch.unpackLimit", "1"),  # one pack a fetch: a fetch that was ended leaves one file behind, not thousands
    ("core.filesRefLockTimeout", "5000"),  # milliseconds; another process may be asking the same remote
    ("gc.auto", "0"),  # what a remote no longer holds may be the very commit that users had
    ("maintenance.auto", "false"),
    ("log.showSignature", "false"),  # would start gpg
    ("http.sslVerify", "true"),
    # git goes on to send extraHeader to whoever it was redirected to.
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "20"),
)

Setting = tuple[str, str]


@dataclass(frozen=True)
class GitCommand:
    """`git` in one bare repository."""

    repository: Path

    def run(
        self,
        *arguments: str,
        within: Deadline,
        protocol: str = "",
        settings: Sequence[Setting] = (),
        environment: Mapping[str, str] | None = None,
        line: Callable[[str], None] | None = None,
        given: BinaryIO | None = None,
        into: BinaryIO | None = None,
    ) -> Finished:
        """Run it to its end; only `protocol` may be spoken. `settings` may hold secrets: no other process can read them.

        Raises what :func:`defib.process.run_command` raises. stdout and stderr come together, unless stdout goes `into` a
        file; each line goes to `line`, of which a secret may be part. `given` is the file that it reads.
        """
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        whole = {**kept, **_FIXED, "GIT_ALLOW_PROTOCOL": protocol, "GIT_DIR": str(self.repository)}
        whole |= _as_environment((*_CONFIG, *settings)) | dict(environment or {})
        return run_command(["git", *arguments], whole, within, closed=True, line=line, given=given, into=into)


def _as_environment(settings: Sequence[Setting]) -> dict[str, str]:
    """Configuration that stands neither in a file nor in the list of processes (git 2.31 and newer)."""
    pairs = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        pairs[f"GIT_CONFIG_KEY_{number}"] = key
        pairs[f"GIT_CONFIG_VALUE_{number}"] = value
    return pairs
