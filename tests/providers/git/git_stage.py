"""One site whose sources are on two Git hosts, and what a test wants to do with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import SecretMissing
from defib.providers.git.sources import GitSources
from defib.redeploy.offer import Offer, Offers, Trouble
from defib.redeploy.source import Choice, choose
from defib.sites.git import Remote
from tests.providers.git.repository import Repository
from tests.providers.git.server import GitServer, serving


@dataclass
class GitStage:
    """GitHub and GitLab on loopback, each with its `pulse.git`; nothing is in them yet."""

    folder: Path
    github: GitServer
    gitlab: GitServer
    on_github: Repository
    on_gitlab: Repository
    clock: SystemClock = field(default_factory=SystemClock)
    tokens: dict[str, str] = field(default_factory=dict)
    bundle: Path | None = None
    answer_within: timedelta = timedelta(seconds=20)
    fetch_within: timedelta = timedelta(seconds=20)

    def __post_init__(self) -> None:
        self.tokens |= {"env:GITHUB": self.github.token, "env:GITLAB": self.gitlab.token}
        self.remotes = [
            Remote(name="github", url=self.github.at("pulse.git"), user="x-access-token", token="env:GITHUB"),
            Remote(name="gitlab", url=self.gitlab.at("pulse.git"), user="oauth2", token="env:GITLAB"),
        ]

    @property
    def store(self) -> Path:
        """The local copy."""
        return self.folder / "home" / "git" / "pulse.git"

    def within(self, seconds: float = 60) -> Deadline:
        """A deadline."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def secret(self, reference: str) -> str:
        """The value of a secret."""
        if reference not in self.tokens:
            raise SecretMissing("an environment variable is not set", where=reference)
        return self.tokens[reference]

    def sources(self, branch: str = "main") -> GitSources:
        """What a run would open."""
        return GitSources(
            self.store,
            self.remotes,
            branch,
            self.secret,
            bundle=self.bundle,
            answer_within=self.answer_within,
            fetch_within=self.fetch_within,
        )

    def ask(self, *deployed: str, users_had: datetime | None = None) -> Offers:
        """What everybody answers."""
        return self.sources().ask(deployed, within=self.within(), users_had=users_had)

    def choose(self, *deployed: str) -> Choice:
        """What a run would build."""
        answers = self.ask(*deployed)
        return choose(answers.offers, answers.bundle, answers.deployed)

    def trouble(self, remote: str = "github") -> tuple[Trouble | None, str]:
        """What is wrong with a remote."""
        offer = self.offer(remote)
        return offer.trouble, offer.problem

    def offer(self, remote: str = "github") -> Offer:
        """What a remote answers."""
        return next(offer for offer in self.ask().offers if offer.remote == remote)

    def export(self, commit: str) -> Path:
        """The work tree of a commit."""
        folder = self.folder / "tree"
        self.sources().export(commit, folder, within=self.within())
        return folder


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[GitStage]:
    """Two hosts that run while the test does."""
    with ExitStack() as stack:
        github, gitlab = (stack.enter_context(serving(tmp_path / name)) for name in ("github", "gitlab"))
        gitlab.token = "glpat-0123456789-of-gitlab"
        on_github, on_gitlab = (Repository.make(host.root / "pulse.git") for host in (github, gitlab))
        yield GitStage(tmp_path, github, gitlab, on_github, on_gitlab)


def everything_in(folder: Path) -> bytes:
    """All bytes of all files below, and their names."""
    return b"\n".join(
        str(path).encode() + (path.read_bytes() if path.is_file() and not path.is_symlink() else b"")
        for path in sorted(folder.rglob("*"))
    )
