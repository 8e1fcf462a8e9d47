"""GitLab, asked for a project's settings: gitlab.com and self-managed.

Operations and fields: https://docs.gitlab.com/api/. What groups hand down to their projects is read where it protects
branches, and not where it is a variable. Approval rules are a matter of the project's merge requests and not of its
branches, and of paid tiers: whether changes need a review is therefore told as not known.
"""

from __future__ import annotations

from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, TypeAdapter

from defib.clock import Deadline
from defib.mirror.settings import CiName, DeployKey, Protection, RepositorySettings, Unknown, Visibility, Webhook
from defib.providers.git.api import PAGE, Asking, GitApi
from defib.providers.git.hooked import common_events
from defib.providers.git.stripped import bare_url, fingerprint

API = "https://gitlab.com/api/v4"
_MAINTAINER = "scope read_api and the role Maintainer"
_UNTOLD = Unknown("GitLab does not tell it of the project; the token needs scope read_api and the role Reporter")


class _Project(BaseModel):
    """A project. To whom may not read its code GitLab leaves out the default branch; an empty project has None."""

    path_with_namespace: str
    default_branch: str | Unknown | None = _UNTOLD
    archived: bool | Unknown = _UNTOLD
    visibility: Visibility | Unknown = _UNTOLD


class _Level(BaseModel):
    access_level_description: str = ""


class _Protected(BaseModel):
    name: str
    push_access_levels: list[_Level]
    allow_force_push: bool
    code_owner_approval_required: bool | None = None

    def protection(self) -> Protection:
        """As told. A protected branch cannot be deleted with Git, by nobody.

        https://docs.gitlab.com/user/project/repository/branches/protected/
        """
        return Protection(
            pattern=self.name,
            force_push=self.allow_force_push,
            deletion=False,
            reviews=True if self.code_owner_approval_required else None,
            pushers=tuple(sorted({each.access_level_description for each in self.push_access_levels})) or ("No one",),
        )


class _Key(BaseModel):
    title: str
    key: str
    can_push: bool


class _Variable(BaseModel):
    """A CI variable without its value, which GitLab tells, and which is read into nothing."""

    key: str
    environment_scope: str = "*"
    masked: bool = False
    hidden: bool = False


class _Hook(BaseModel):
    """``push_events``, ``note_events`` and so on are flags beside the others, new ones with new versions."""

    model_config = ConfigDict(extra="allow")

    url: str
    enable_ssl_verification: bool
    alert_status: str = "executable"

    def webhook(self) -> Webhook:
        flags = (self.model_extra or {}).items()
        on = {name.removesuffix("_events") for name, value in flags if name.endswith("_events") and value is True}
        events = common_events("gitlab", on)
        return Webhook(bare_url(self.url), events, self.alert_status == "executable", self.enable_ssl_verification)


_PROJECT = TypeAdapter(_Project)
_PROTECTED = TypeAdapter(list[_Protected])
_KEYS = TypeAdapter(list[_Key])
_VARIABLES = TypeAdapter(list[_Variable])
_HOOKS = TypeAdapter(list[_Hook])


class GitLabProject:
    """Fulfils :class:`defib.mirror.settings.HostedRepository` for ``group/name``, or for a project's id."""

    def __init__(self, project: str, token: str, api: str = API) -> None:
        self._project = project
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._api = GitApi(api.rstrip("/"), "GitLab", f"GitLab, project {project}", headers)

    @property
    def vendor(self) -> str:
        """``gitlab``."""
        return "gitlab"

    @property
    def project(self) -> str:
        """``group/name``, or the id."""
        return self._project

    def settings(self, *, within: Deadline) -> RepositorySettings:
        """All parts, each by requests of its own, under the name that the project has now."""
        with self._api.opened(within) as asking:
            found = asking.one(_PROJECT, f"/projects/{quote(self._project, safe='')}", follow=True)
            path = f"/projects/{quote(found.path_with_namespace, safe='')}"
            variables = asking.part(lambda: _variables(asking, path), _MAINTAINER)
            same = self._project.isdecimal() or found.path_with_namespace.lower() == self._project.lower()
            return RepositorySettings(
                vendor=self.vendor,
                project=self._project,
                asked=within.clock.now(),
                default_branch=found.default_branch or "",
                visibility=found.visibility,
                archived=found.archived,
                protections=asking.part(lambda: _protections(asking, path), _MAINTAINER),
                deploy_keys=asking.part(lambda: _keys(asking, path), _MAINTAINER),
                secrets=_names(variables, secret=True),
                variables=_names(variables, secret=False),
                webhooks=asking.part(lambda: _webhooks(asking, path), _MAINTAINER),
                moved_to="" if same else found.path_with_namespace,
            )


def _protections(asking: Asking, path: str) -> tuple[Protection, ...]:
    pages = asking.pages(_PROTECTED, f"{path}/protected_branches?per_page={PAGE}")
    found = (each.protection() for page in pages for each in page)
    return tuple(sorted(found, key=lambda each: each.pattern))


def _keys(asking: Asking, path: str) -> tuple[DeployKey, ...]:
    pages = asking.pages(_KEYS, f"{path}/deploy_keys?per_page={PAGE}")
    return tuple(sorted(DeployKey(each.title, fingerprint(each.key), each.can_push) for page in pages for each in page))


def _variables(asking: Asking, path: str) -> tuple[_Variable, ...]:
    pages = asking.pages(_VARIABLES, f"{path}/variables?per_page={PAGE}")
    return tuple(each for page in pages for each in page)


def _names(variables: tuple[_Variable, ...] | Unknown, *, secret: bool) -> tuple[CiName, ...] | Unknown:
    """The names of those that are masked in logs, or of the others."""
    if isinstance(variables, Unknown):
        return variables
    wanted = (each for each in variables if (each.masked or each.hidden) is secret)
    return tuple(sorted(CiName(each.key, each.environment_scope) for each in wanted))


def _webhooks(asking: Asking, path: str) -> tuple[Webhook, ...]:
    pages = asking.pages(_HOOKS, f"{path}/hooks?per_page={PAGE}")
    return tuple(sorted(each.webhook() for page in pages for each in page))
