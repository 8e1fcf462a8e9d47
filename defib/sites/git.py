"""Where a site's sources are, and how a site is made of them: the parts of its file about Git and the build."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from defib.sites.values import Aws, Duration, Part, SecretReference
from defib.yamlfile import Misplaced


def _as_a_file(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError("a name of letters, digits, dots, dashes and underscores")
    return name


Name = Annotated[str, AfterValidator(_as_a_file)]
"""Of a remote or a repository: it stands in names of files, of refs, and in plans."""


def _without_secret(url: str) -> str:
    if not re.match(r"https://|http://127(\.\d{1,3}){3}(?=[:/]|$)", url):
        raise ValueError("url must be https://")
    if "@" in url.split("/")[2]:
        raise ValueError("a URL without user and password: they stand in user and token")  # the value is not repeated
    return url


def _of_a_repository(url: str) -> str:
    if not url.startswith("ssh://"):
        return _without_secret(url)
    if "@" in url.split("/")[2]:
        raise ValueError("a URL without user: it stands in user")
    return url


_USUAL = {None, 22, 443}

Url = Annotated[str, AfterValidator(_without_secret)]
RepositoryUrl = Annotated[str, AfterValidator(_of_a_repository)]


class RemoteApi(Part):
    """Where a remote's vendor tells the settings that Git does not carry; `token` is the remote's own where it is left out.

    `url` is the API's root; left out, the vendor's public one. It is ``https://HOST/api/v3`` at GitHub Enterprise Server and
    ``https://HOST/api/v4`` at a GitLab of one's own. `project` is ``owner/name``, at GitLab also an id or within subgroups.
    """

    vendor: Literal["github", "gitlab"]
    project: str
    url: Url | None = None
    token: SecretReference | None = None

    @model_validator(mode="after")
    def _project_is_one(self) -> Self:
        word = r"(?!\.+(?:/|$))[\w.-]+"
        known = f"{word}/{word}" if self.vendor == "github" else rf"\d+|{word}(/{word})+"
        if not re.fullmatch(known, self.project):
            ways = "owner/name" if self.vendor == "github" else "group/name or the project's id"
            raise Misplaced(f"{ways}, not {self.project!r}", "project")
        return self


class Remote(Part):
    """A Git repository that holds the site's sources, over HTTPS or SSH.

    `token` leads to what stands for a password over HTTPS, `key` to a private key without passphrase over SSH. `host_key` is
    the public key of the SSH server, as ``<kind> <base64>``: nobody else is talked to.
    """

    name: Name
    url: RepositoryUrl
    user: str = "git"
    token: SecretReference | None = None
    key: SecretReference | None = None
    host_key: str = ""
    api: RemoteApi | None = None

    @model_validator(mode="after")
    def _over_ssh_both_sides_are_known(self) -> Self:
        if not self.url.startswith("ssh://"):
            return self
        if self.key is None:
            raise Misplaced("over SSH a private key is needed: a reference to it", "key")
        if not re.fullmatch(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*", self.host_key):
            raise Misplaced("over SSH the server's public key is needed, as <kind> <base64>: ssh-keyscan HOST", "host_key")
        return self


class BundleCopy(Part):
    """A bucket that is replicated to another region, and the age recipients (``age1…``) that a bundle is encrypted to."""

    bucket: str
    recipients: tuple[str, ...] = Field(min_length=1)
    aws: Aws = Aws()


def _place(url: str) -> tuple[str, str]:
    """Host and path: the same over HTTPS as over SSH, which is the same repository at every host."""
    parts = urlsplit(url)
    where = (parts.hostname or "") if parts.scheme in {"https", "ssh"} and parts.port in _USUAL else parts.netloc
    return where.lower(), parts.path.rstrip("/").removesuffix(".git")


class Repository(Part):
    """One repository: where it is, which of its remotes it is taken from, and what its mirrors must never do by themselves.

    `remotes` stand in the order of preference where they are equally new; the `source` is the first of them where none is
    named, all others are mirrors of it; of one that has none a bundle is kept all the same. `bundle` is relative to
    ``$DEFIB_HOME``; "" keeps it at ``mirrors/<site>/<name>.bundle``; what came since it was made is beside it
    (``.bundle.added``). Above `most_lost`, the share of a mirror's refs that would be deleted or moved back at once, a
    person decides; about the `branch` one always does. `push_limit` is what one push may bring, in bytes, where a host
    limits that; 0 is no limit.
    """

    name: Literal[""] | Name = ""
    branch: str = "main"
    remotes: tuple[Remote, ...] = Field(min_length=1)
    source: str = ""
    bundle: str = ""
    copy_to: BundleCopy | None = None
    notes: bool = False
    lfs: bool = False
    most_lost: float = Field(default=0.25, ge=0, le=1)
    push_limit: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [remote.name for remote in self.remotes]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise Misplaced(f"the name {name!r} stands twice", "remotes", number, "name")
        places = [_place(remote.url) for remote in self.remotes]
        for number, place in enumerate(places):
            if place in places[:number]:
                first = self.remotes[places.index(place)].name
                raise Misplaced(f"it is where {first!r} is: a mirror must be another repository", "remotes", number, "url")
        if self.source and self.source not in names:
            raise Misplaced(f"no remote is named {self.source!r}", "source")
        return self

    def taken_from(self, source: str = "") -> Remote:
        """The remote that the others are mirrors of; `source` is its name where it is no longer that of the site file."""
        wanted = source or self.source
        return next((remote for remote in self.remotes if remote.name == wanted), self.remotes[0])


class Git(Repository):
    """The repository that the site is built from, and others that it needs."""

    others: tuple[Repository, ...] = ()

    @model_validator(mode="after")
    def _others_have_names(self) -> Self:
        for number, other in enumerate(self.others):
            if not other.name:
                raise Misplaced("a name is needed", "others", number, "name")
            if other.name in {self.name, *(each.name for each in self.others[:number])}:
                raise Misplaced(f"the name {other.name!r} stands twice", "others", number, "name")
            if other.bundle and other.bundle in {self.bundle, *(each.bundle for each in self.others[:number])}:
                raise Misplaced("another repository has this bundle: each needs its own", "others", number, "bundle")
        return self


def repositories(site: str, git: Git | None) -> tuple[Repository, ...]:
    """Every repository of a site, each with its name and the place of its bundle."""
    if git is None:
        return ()
    own = Repository(**{name: getattr(git, name) for name in Repository.model_fields})
    named = (own.model_copy(update={"name": git.name or site}), *git.others)
    return tuple(
        each if each.bundle else each.model_copy(update={"bundle": f"mirrors/{site}/{each.name}.bundle"}) for each in named
    )


class Build(Part):
    """The command that makes the site in a clean work tree, and the folder in it that is the site afterwards.

    `path` are folders put before ``PATH``, relative to ``$DEFIB_HOME`` where they are not absolute.
    """

    command: tuple[str, ...] = Field(min_length=1)
    output: str
    within: Duration = timedelta(minutes=20)
    path: tuple[str, ...] = ()
