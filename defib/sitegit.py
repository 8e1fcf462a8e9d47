"""Where a site's sources are, and how a site is made of them: the parts of its file about Git and the build."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from defib.sitevalues import Duration, Part, SecretReference
from defib.yamlfile import Misplaced


def _without_secret(url: str) -> str:
    if not re.match(r"https://|http://127(\.\d{1,3}){3}(?=[:/]|$)", url):
        raise ValueError("url must be https://")
    if "@" in url.split("/")[2]:
        raise ValueError("a URL without user and password: they stand in user and token")  # the value is not repeated
    return url


Url = Annotated[str, AfterValidator(_without_secret)]


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
    """A Git repository that holds the site's sources, over HTTPS; `token` leads to what stands for a password."""

    name: str
    url: Url
    user: str = "git"
    token: SecretReference | None = None
    api: RemoteApi | None = None


class Git(Part):
    """The remotes, in the order of preference where they are equally new, and the bundle for the day when they are gone.

    `bundle` is relative to ``$DEFIB_HOME``.
    """

    branch: str = "main"
    remotes: tuple[Remote, ...] = Field(min_length=1)
    bundle: str = ""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [remote.name for remote in self.remotes]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise Misplaced(f"the name {name!r} stands twice", "remotes", number, "name")
        return self


class Build(Part):
    """The command that makes the site in a clean work tree, and the folder in it that is the site afterwards.

    `path` are folders put before ``PATH``, relative to ``$DEFIB_HOME`` where they are not absolute.
    """

    command: tuple[str, ...] = Field(min_length=1)
    output: str
    within: Duration = timedelta(minutes=20)
    path: tuple[str, ...] = ()
