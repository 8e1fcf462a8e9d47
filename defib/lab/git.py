"""GitHub and GitLab as far as Git needs them: repositories over smart HTTP with basic authentication, and what goes wrong.

Each tells the settings of its repository by its API at the same address, which has faults of its own. What answers to Git is
``git http-backend`` itself, so clones, fetches and pushes are real ones; beside it is an LFS server. GitLab holds a mirror
of GitHub's repository.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from defib.clock import Clock
from defib.lab import lfs
from defib.lab.faults import LFS_FAULTS, Fault, FaultSwitch
from defib.lab.faulty import connect_as
from defib.lab.forge.api import ForgeApi
from defib.lab.forge.furniture import github_api, gitlab_api
from defib.lab.history import BRANCH, History, git
from defib.lab.plan import API_PORT, AddressPlan
from defib.lab.web import Request, Response, WebServer

REPOSITORY = "pulse-trading.git"
GITHUB, GITLAB = "1.11", "1.12"
_HEAD = f"refs/heads/{BRANCH}"
_TEXT = ("Content-Type", "text/plain; charset=utf-8")


@dataclass(frozen=True)
class GitTokens:
    """What clients must give as a password."""

    github: str
    gitlab: str


@dataclass(frozen=True)
class GitVendor:
    """What sets the vendors apart: how each says that it does not know somebody, or has no such repository."""

    realm: str
    unknown: str
    missing: str


# https://docs.github.com/en/get-started/git-basics/why-is-git-always-asking-for-my-password
_GITHUB = GitVendor(
    "GitHub",
    "Invalid username or token. Password authentication is not supported for Git operations.",
    "Repository not found.",
)
# https://docs.gitlab.com/topics/git/troubleshooting_git/
_GITLAB = GitVendor(
    "GitLab",
    "HTTP Basic: Access denied. The provided password or token is incorrect or your account has 2FA enabled.",
    "The project you were looking for could not be found or you don't have permission to view it.",
)


class GitHost:
    """One vendor with one repository; any user goes with the right `token`, as at both vendors. `api` tells its settings."""

    def __init__(
        self, vendor: GitVendor, address: str, port: int, folder: Path, token: str, history: History, api: ForgeApi
    ) -> None:
        self.web = WebServer(address, port, self._answer)
        self.api = api
        self.switch = FaultSwitch()
        self._vendor = vendor
        self._token = token
        self._unrelated = history.unrelated
        self._before: Mapping[str, str] | None = None
        self.repository = folder / REPOSITORY
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(history.folder, self.repository)
        git(["config", "http.receivepack", "true"], self.repository)
        self.lfs = lfs.LfsServer(folder / "lfs")

    @property
    def url(self) -> str:
        """Where the repository is."""
        return f"{self.web.url}/{REPOSITORY}"

    @property
    def api_url(self) -> str:
        """Where the API is."""
        return f"{self.web.url}{self.api.base}"

    async def start(self) -> None:
        """Listen."""
        await self.web.start()

    async def stop(self) -> None:
        """Stop listening, and reset every connection."""
        await self.web.stop()

    def refs(self) -> dict[str, str]:
        """Every ref with the id of what it leads to."""
        lines = git(["for-each-ref", "--format=%(refname) %(objectname)"], self.repository).splitlines()
        return {name: commit for name, _, commit in (line.partition(" ") for line in lines)}

    async def set_fault(self, fault: Fault | None) -> None:
        """Put `fault` in force in place of any other; None heals, and every ref is again what it was before."""
        self.switch.set(fault)
        self.lfs.lose(fault)
        await asyncio.to_thread(self._move_refs, fault)
        await connect_as(self.web, fault)

    def _move_refs(self, fault: Fault | None) -> None:
        if self._before is not None:
            self._set_refs(self._before)
            self._before = None
        present = self.refs()
        wanted = self._spoilt(present, fault)
        if wanted is not None:
            self._before = present
            self._set_refs(wanted)

    def _spoilt(self, present: Mapping[str, str], fault: Fault | None) -> Mapping[str, str] | None:
        """The refs under `fault`; None where it leaves them alone."""
        if fault is not None and fault.name == "emptied":
            return {}
        if fault is not None and fault.name == "force-pushed":
            return {**present, _HEAD: self._unrelated}
        if fault is not None and fault.name == "behind" and _HEAD in present:
            by = max(1, int(fault.option("commits", 1)))
            commits = git(["rev-list", "--first-parent", _HEAD], self.repository).split()
            newer, older = commits[:by], (commits[by:] or commits[-1:])[0]
            return {name: commit for name, commit in present.items() if commit not in newer} | {_HEAD: older}
        return None

    def _set_refs(self, wanted: Mapping[str, str]) -> None:
        lines = [f"delete {name}" for name in self.refs() if name not in wanted]
        lines += [f"update {name} {commit}" for name, commit in wanted.items()]
        git(["update-ref", "--stdin"], self.repository, "".join(f"{line}\n" for line in lines).encode())

    async def _answer(self, request: Request) -> Response | None:
        if request.path.startswith(f"{self.api.base}/"):
            return await self.api.answer(request, self.web.url)
        return await self._answer_git(request)

    async def _answer_git(self, request: Request) -> Response:
        of_lfs = request.path.startswith(f"/{REPOSITORY}{lfs.PATH}")
        fault = self._spend(of_lfs=of_lfs) or Fault("none")
        if fault.name == "slow":
            await asyncio.sleep(fault.option("delay", 5))
        if fault.name == "5xx":
            status = int(fault.option("status", 503))
            return Response(status, (_TEXT,), b"We're having a really bad day. The Unicorns have taken over.\n")
        user = _user(request, self._token)
        if user is None or fault.name == "expired-token":
            realm = f'Basic realm="{self._vendor.realm}"'
            if of_lfs:
                return lfs.refusal(401, self._vendor.unknown).with_headers(("LFS-Authenticate", realm))
            return Response(401, (_TEXT, ("WWW-Authenticate", realm)), f"{self._vendor.unknown}\n".encode())
        if of_lfs:
            return lfs.wait(fault) if fault.name == "lfs-429" else await self.lfs.answer(request, self.url)
        if not request.path.startswith(f"/{REPOSITORY}/"):
            return Response(404, (_TEXT,), f"{self._vendor.missing}\n".encode())
        return await self._by_git(request, user)

    def _spend(self, *, of_lfs: bool) -> Fault | None:
        """The fault for this request; those of the LFS server are not used up by Git's own."""
        fault = self.switch.fault
        if fault is not None and fault.name in LFS_FAULTS and not of_lfs:
            self.switch.requests += 1
            return None
        return self.switch.spend()

    async def _by_git(self, request: Request, user: str) -> Response:
        """Ask ``git http-backend``, by the rules of CGI (RFC 3875)."""
        process = await asyncio.create_subprocess_exec(
            *("git", "http-backend"),
            env=_environment(request, self.repository.parent, user),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # it is told over HTTP, too
        )
        try:
            told, _ = await process.communicate(request.body)
        finally:
            if process.returncode is None:
                process.kill()  # the client is gone
                await process.wait()
        return _parsed(told)


def _user(request: Request, token: str) -> str | None:
    """Who asks, None where it is nobody who knows the token."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    known = scheme.lower() == "basic" and hmac.compare_digest(password.encode(), token.encode())
    return user if known and user else None


def _environment(request: Request, root: Path, user: str) -> dict[str, str]:
    """The request as CGI hands it on; what else Git goes by is its own defaults."""
    url = urlsplit(request.target)
    told = {
        "PATH": os.environ.get("PATH", ""),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(url.path),
        "QUERY_STRING": url.query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "REMOTE_USER": user,
        "REMOTE_ADDR": "127.0.0.1",
    }
    passed = {"content-encoding": "HTTP_CONTENT_ENCODING", "git-protocol": "GIT_PROTOCOL"}
    return told | {ours: request.headers[name] for name, ours in passed.items() if name in request.headers}


def _parsed(told: bytes) -> Response:
    head, separator, body = told.partition(b"\r\n\r\n")
    if not separator:
        return Response(500, (_TEXT,), b"git http-backend ended without an answer\n")
    pairs = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
    headers = tuple((name, value) for name, _, value in pairs if name.lower() != "status")
    status = next((int(value.split(" ")[0]) for name, _, value in pairs if name.lower() == "status"), 200)
    return Response(status, headers, body)


def git_hosts(plan: AddressPlan, tokens: GitTokens, folder: Path, history: History, clock: Clock) -> dict[str, GitHost]:
    """Both vendors, by the name of their target."""
    made = history.commits[-1].committed
    apis = (github_api(tokens.github, made, clock), gitlab_api(tokens.gitlab, made, clock))
    return {
        "github": GitHost(_GITHUB, plan.at(GITHUB), API_PORT, folder / "github", tokens.github, history, apis[0]),
        "gitlab": GitHost(_GITLAB, plan.at(GITLAB), API_PORT, folder / "gitlab", tokens.gitlab, history, apis[1]),
    }
