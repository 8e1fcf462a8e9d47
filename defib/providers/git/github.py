"""GitHub, asked for a repository's settings: github.com and Enterprise Server.

Operations, fields and permissions: https://docs.github.com/en/rest. What organizations hand down to their repositories is
read where it protects branches, and not where it is a secret or a variable; nor are those of single environments.
"""

from __future__ import annotations

from urllib.parse import quote

from pydantic import BaseModel, TypeAdapter

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.mirror.settings import CiName, DeployKey, RepositorySettings, Visibility, Webhook
from defib.providers.git.api import PAGE, Asking, GitApi
from defib.providers.git.github_protected import protections
from defib.providers.git.hooked import common_events
from defib.providers.git.stripped import bare_url, fingerprint

API = "https://api.github.com"
VERSION = "2022-11-28"
"""https://docs.github.com/en/rest/about-the-rest-api/api-versions"""


class _Repository(BaseModel):
    full_name: str
    default_branch: str
    archived: bool
    private: bool
    visibility: Visibility | None = None


class _Key(BaseModel):
    title: str
    key: str
    read_only: bool


class _Name(BaseModel):
    name: str


class _Secrets(BaseModel):
    total_count: int
    secrets: list[_Name]


class _Variables(BaseModel):
    total_count: int
    variables: list[_Name]


class _HookConfig(BaseModel):
    url: str = ""
    insecure_ssl: str | float = "0"


class _Hook(BaseModel):
    active: bool
    events: list[str]
    config: _HookConfig


ADMINISTRATION, SECRETS, VARIABLES, WEBHOOKS = SETTINGS = (
    "Administration: read",
    "Secrets: read",
    "Variables: read",
    "Webhooks: read",
)
"""The permissions of a fine-grained token by which settings are told, each part by its own."""

_REPOSITORY = TypeAdapter(_Repository)
_KEYS = TypeAdapter(list[_Key])
_SECRETS = TypeAdapter(_Secrets)
_VARIABLES = TypeAdapter(_Variables)
_HOOKS = TypeAdapter(list[_Hook])


class GitHubRepository:
    """Fulfils :class:`defib.mirror.settings.HostedRepository` for ``owner/name``."""

    def __init__(self, project: str, token: str, api: str = API) -> None:
        self._project = project
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": VERSION,
        }
        self._api = GitApi(api.rstrip("/"), "GitHub", f"GitHub, repository {project}", headers)

    @property
    def vendor(self) -> str:
        """``github``."""
        return "github"

    @property
    def project(self) -> str:
        """``owner/name``."""
        return self._project

    def settings(self, *, within: Deadline) -> RepositorySettings:
        """All parts, each by requests of its own, under the name that the repository has now."""
        with self._api.opened(within) as asking:
            found = asking.one(_REPOSITORY, f"/repos/{quote(self._project)}", follow=True)
            path = f"/repos/{quote(found.full_name)}"
            return RepositorySettings(
                vendor=self.vendor,
                project=self._project,
                asked=within.clock.now(),
                default_branch=found.default_branch,
                visibility=found.visibility or (Visibility.PRIVATE if found.private else Visibility.PUBLIC),
                archived=found.archived,
                protections=asking.part(lambda: protections(asking, path, found.default_branch), ADMINISTRATION),
                deploy_keys=asking.part(lambda: _keys(asking, path), ADMINISTRATION),
                secrets=asking.part(lambda: _secrets(asking, path), SECRETS),
                variables=asking.part(lambda: _variables(asking, path), VARIABLES),
                webhooks=asking.part(lambda: _webhooks(asking, path), WEBHOOKS),
                moved_to="" if found.full_name.lower() == self._project.lower() else found.full_name,
            )


def _keys(asking: Asking, path: str) -> tuple[DeployKey, ...]:
    pages = asking.pages(_KEYS, f"{path}/keys?per_page={PAGE}")
    found = (DeployKey(each.title, fingerprint(each.key), not each.read_only) for page in pages for each in page)
    return tuple(sorted(found))


def _secrets(asking: Asking, path: str) -> tuple[CiName, ...]:
    pages = list(asking.pages(_SECRETS, f"{path}/actions/secrets?per_page={PAGE}"))
    return _counted([each.name for page in pages for each in page.secrets], pages[-1].total_count, "secrets", asking)


def _variables(asking: Asking, path: str) -> tuple[CiName, ...]:
    pages = list(asking.pages(_VARIABLES, f"{path}/actions/variables?per_page={PAGE}"))
    return _counted([each.name for page in pages for each in page.variables], pages[-1].total_count, "variables", asking)


def _counted(names: list[str], total: int, what: str, asking: Asking) -> tuple[CiName, ...]:
    """The names, where they are as many as GitHub says that there are."""
    if len(names) != total:
        raise Unavailable(
            f"GitHub did not list all {what} of Actions",
            where=asking.api.where,
            expected=f"{total}, as it counts them",
            seen=f"{len(names)} names",
        )
    return tuple(sorted(CiName(name) for name in names))


def _webhooks(asking: Asking, path: str) -> tuple[Webhook, ...]:
    pages = asking.pages(_HOOKS, f"{path}/hooks?per_page={PAGE}")
    return tuple(sorted(_webhook(each) for page in pages for each in page))


def _webhook(hook: _Hook) -> Webhook:
    verifies = str(hook.config.insecure_ssl) in {"0", "0.0"}
    return Webhook(bare_url(hook.config.url), common_events("github", hook.events), hook.active, verifies)
