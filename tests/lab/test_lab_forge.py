"""The lab's GitHub and GitLab tell a repository's settings as the vendors do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from defib.clock import SystemClock
from defib.lab.background import BackgroundLoop
from defib.lab.faults import FORGE_FAULTS, Fault, options_of
from defib.lab.forge import furniture
from defib.lab.forge.alone import RunningForge, serve_github, serve_gitlab
from defib.lab.forge.repository import HeldKey
from defib.lab.git import GitHost, GitVendor
from defib.lab.history import write_history
from tests.contracts.described import GITHUB, GITLAB, recording

BASES = {"github": f"/repos/{furniture.GITHUB_PROJECT}", "gitlab": f"/projects/{quote(furniture.GITLAB_PROJECT, safe='')}"}
KEYS = {"github": "keys", "gitlab": "deploy_keys"}


@pytest.fixture(params=BASES)
def vendor(request: pytest.FixtureRequest) -> str:
    """Each vendor in turn."""
    return str(request.param)


@pytest.fixture
def running(vendor: str) -> Iterator[RunningForge]:
    """A fresh API."""
    with serve_github() if vendor == "github" else serve_gitlab() as running:
        yield running


def get(running: RunningForge, path: str, token: str | None = None, **headers: str) -> httpx.Response:
    """One request with the right token, or with another."""
    bearer = {"Authorization": f"Bearer {token or running.token}"}
    with httpx.Client(trust_env=False) as client:
        return client.get(running.endpoint + path, headers={**bearer, **headers}, timeout=10)


def test_described_answers_fit_the_description(running: RunningForge, vendor: str) -> None:
    """Everything that the vendor's own file describes, refusals included."""
    described = {"github": GITHUB, "gitlab": GITLAB}[vendor]
    if not described.path.exists():
        pytest.skip(f"{described.path} is not there")
    parts = {
        "github": (
            "",
            "/branches?protected=true",
            "/branches/main/protection",
            "/branches/none/protection",
            "/rulesets",
            "/hooks",
        ),
        "gitlab": ("", "/protected_branches"),
    }[vendor]
    with recording(running.endpoint) as recorder:
        through = replace(running, endpoint=recorder.url)
        statuses = [get(through, BASES[vendor] + part).status_code for part in parts]
        missing = BASES[vendor].replace("pulse-trading", "nobody")
        assert get(through, missing).status_code == 404
        assert described.check(recorder.exchanges) >= len(parts)
    assert set(statuses) == ({200, 404} if vendor == "github" else {200})


FIELDS = {
    # https://docs.github.com/en/rest/deploy-keys/deploy-keys
    ("github", "/keys"): "id key url title verified created_at read_only added_by last_used enabled",
    # https://docs.github.com/en/rest/actions/secrets, https://docs.github.com/en/rest/actions/variables
    ("github", "/actions/secrets"): "name created_at updated_at",
    ("github", "/actions/variables"): "name value created_at updated_at",
    # https://docs.gitlab.com/api/deploy_keys/
    ("gitlab", "/deploy_keys"): "id title key fingerprint fingerprint_sha256 created_at expires_at can_push",
    # https://docs.gitlab.com/api/project_level_variables/
    (
        "gitlab",
        "/variables",
    ): "variable_type key value protected masked hidden raw environment_scope description",
}


@pytest.mark.parametrize(("of", "path"), FIELDS)
def test_undescribed_answers_have_the_documented_fields(of: str, path: str) -> None:
    """What the vendors' files leave out is as on their pages: GitHub tells no values of secrets, GitLab tells all values."""
    with serve_github() if of == "github" else serve_gitlab() as running:
        told = get(running, BASES[of] + path).json()
    entries = told if isinstance(told, list) else told[path.rpartition("/")[2]]
    assert entries
    assert isinstance(told, list) or told["total_count"] == len(entries)
    for each in entries:
        assert sorted(each) == sorted(FIELDS[of, path].split())


def test_webhooks_of_gitlab_have_the_documented_fields() -> None:
    """https://docs.gitlab.com/api/project_webhooks/: flags of events, and never the token."""
    with serve_gitlab() as running:
        hook, _ = get(running, f"{BASES['gitlab']}/hooks").json()
    assert {"id", "url", "project_id", "enable_ssl_verification", "alert_status", "push_events"} <= set(hook)
    assert "token" not in hook
    assert (hook["push_events"], hook["issues_events"]) == (True, False)


def test_lists_come_in_pages(running: RunningForge, vendor: str) -> None:
    """Thirty entries unless asked for more, a hundred at most; links lead through all of them."""
    keys = tuple(HeldKey(f"key {number}", "ssh-ed25519 AAAA") for number in range(150))
    running.change(lambda repository: replace(repository, keys=keys))
    path = f"{BASES[vendor]}/{KEYS[vendor]}"
    assert len(get(running, path).json()) == 30
    first = get(running, f"{path}?per_page=1000")
    assert len(first.json()) == 100
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {running.token}"}) as client:
        second = client.get(first.links["next"]["url"])
    assert [each["title"] for each in second.json()] == [f"key {number}" for number in range(100, 150)]
    assert "next" not in second.links
    assert {"first", "prev"} <= set(second.links)
    if vendor == "gitlab":
        assert (first.headers["X-Next-Page"], second.headers["X-Next-Page"]) == ("2", "")


def test_token_is_asked_for(running: RunningForge, vendor: str) -> None:
    """Nobody else is told anything."""
    answer = get(running, BASES[vendor], token="wrong")
    assert (answer.status_code, "message" in answer.json()) == (401, True)


def test_github_asks_for_a_name_and_a_version() -> None:
    """As GitHub does of each request."""
    with serve_github() as running:
        assert get(running, BASES["github"], **{"User-Agent": ""}).status_code == 403
        assert get(running, BASES["github"], **{"X-GitHub-Api-Version": "1999-01-01"}).status_code == 400


def test_former_name_leads_to_the_repository(running: RunningForge, vendor: str) -> None:
    """G7: 301 to the place by its id, parts included, where everything is told under the new name."""
    running.change(lambda repository: replace(repository, path="new/name", former=frozenset({repository.path})))
    for part, expected in (("", "new/name"), (f"/{KEYS[vendor]}", "builder")):
        moved = get(running, BASES[vendor] + part)
        assert moved.status_code == 301
        assert moved.headers["Location"].startswith(running.endpoint)
        assert expected in get(running, moved.headers["Location"].removeprefix(running.endpoint)).text


def test_changes_are_not_taken(running: RunningForge, vendor: str) -> None:
    """The API reads; people change the repository past it."""
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {running.token}"}) as client:
        assert client.delete(running.endpoint + BASES[vendor]).status_code == 404


def test_what_is_renamed_takes_no_count() -> None:
    """It is a state; the others may spoil some requests alone."""
    assert options_of("renamed") == ()
    assert {each: options_of(each) for each in FORGE_FAULTS}["429"] == ("retry_after", "every", "times")


@pytest.mark.parametrize(("fault", "status"), [("429", 403), ("500", 500), ("denied", 401), ("forbidden", 200)])
def test_faults_of_github(fault: str, status: int) -> None:
    """The repository itself is told to a token that may see nothing else."""
    with serve_github() as running:
        running.set_fault(Fault(fault))
        assert get(running, BASES["github"]).status_code == status


def test_git_and_the_api_are_at_one_address(tmp_path: Path) -> None:
    """A host serves both, by one token; a fault of Git is none of the API's."""
    clock = SystemClock()
    history = write_history(tmp_path / "history.git", clock.now())
    api = furniture.github_api("ghs_token", history.head.committed, clock)
    vendor = GitVendor("GitHub", "unknown", "missing")
    host = GitHost(vendor, "127.0.0.1", 0, tmp_path / "github", "ghs_token", history, api)
    with BackgroundLoop() as loop:
        loop.run(host.start())
        try:
            loop.run(host.set_fault(Fault("expired-token")))
            with httpx.Client(trust_env=False, headers={"Authorization": "Bearer ghs_token"}) as client:
                told = client.get(f"{host.api_url}/repos/{furniture.GITHUB_PROJECT}").json()
                assert client.get(f"{host.url}/info/refs?service=git-upload-pack").status_code == 401
        finally:
            loop.run(host.stop())
    assert told["full_name"] == furniture.GITHUB_PROJECT
