"""Where a site's sources are, and how a site is made of them: the parts of its file about Git and the build."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, field_validator, model_validator

from defib.sitevalues import Duration, Part, SecretReference
from defib.yamlfile import Misplaced


class Remote(Part):
    """A Git repository that holds the site's sources, over HTTPS; `token` leads to what stands for a password."""

    name: str
    url: str
    user: str = "git"
    token: SecretReference | None = None

    @field_validator("url")
    @classmethod
    def _without_secret(cls, url: str) -> str:
        if not url.startswith(("https://", "http://127.")):
            raise ValueError("url must be https://")
        if "@" in url.split("/")[2]:
            raise ValueError("a URL without user and password: they stand in user and token")  # the value is not repeated
        return url


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
