"""``deploy/`` says what it means: settings that Prefect has, one pool, one image, no secret, nothing open by default."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from ruamel.yaml import YAML

from flows.service import settings
from tests.conftest import ROOT
from tests.deploy.composed import DEPLOY, Composed, env_file

VARIABLES = {name: f"value-of-{name.lower()}" for name in env_file(DEPLOY / "secrets.env.example")}
COMPOSED = Composed(VARIABLES)
SERVERS = ("migrate", "api-1", "api-2", "services")


def chart(name: str) -> dict[str, Any]:
    """The values for one of Prefect's charts."""
    values: dict[str, Any] = YAML(typ="safe").load((DEPLOY / "helm" / f"{name}.yaml").read_text(encoding="utf-8"))
    return values


def names_of_settings() -> set[str]:
    """Every variable that Prefect, and what it keeps in Redis, would read."""
    from prefect.settings.legacy import _get_settings_fields  # noqa: PLC0415 - it costs two seconds
    from prefect.settings.models.root import Settings  # noqa: PLC0415
    from prefect_redis.cleanup_queue import RedisWorkerCleanupQueueSettings  # noqa: PLC0415
    from prefect_redis.client import RedisMessagingSettings  # noqa: PLC0415
    from prefect_redis.messaging import RedisMessagingPublisherSettings  # noqa: PLC0415

    redis = {
        f"{model.model_config.get('env_prefix', '')}{name}".upper()
        for model in (RedisMessagingSettings, RedisMessagingPublisherSettings, RedisWorkerCleanupQueueSettings)
        for name in model.model_fields
    }
    return set(_get_settings_fields(Settings)) | redis


@pytest.mark.parametrize("service", [*SERVERS, "worker"])
def test_every_setting_is_one(service: str) -> None:
    """A name that Prefect does not know is ignored by it without a word."""
    given = {name for name in COMPOSED.environment(service) if name.startswith("PREFECT_")}
    assert set() == given - names_of_settings()


def test_one_machine_and_many_are_told_the_same() -> None:
    """What ``defib up`` and the files here both say, they say alike."""
    server, worker = env_file(DEPLOY / "server.env"), env_file(DEPLOY / "worker.env")
    assert {**settings.QUIET, **settings.CLOSED}.items() <= server.items()
    assert {**settings.CLIENT, **settings.WORKER}.items() <= worker.items()


def test_everybody_means_the_same_pool() -> None:
    """The deployments name it, and workers take from it, wherever they run."""
    deployments = YAML(typ="safe").load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    command = COMPOSED.command("worker")
    pools = {each["work_pool"]["name"] for each in deployments} | {command[command.index("--pool") + 1]}
    assert {settings.POOL} == pools | {chart("worker")["worker"]["config"]["workPool"]}


def test_no_server_is_without_a_password() -> None:
    """Every API server asks for the one that the worker gives, and the charts' do so too."""
    asked = {COMPOSED.environment(name)["PREFECT_SERVER_API_AUTH_STRING"] for name in SERVERS}
    assert {COMPOSED.environment("worker")["PREFECT_API_AUTH_STRING"]} == asked
    for values in (chart("server")["server"], chart("worker")["worker"]):
        assert {"enabled": True, "existingSecret": "defib-auth"} == values["basicAuth"]


def test_kubernetes_is_given_every_address() -> None:
    """What has an address or a secret in the compose file is in a secret of the charts too, or is a value of theirs."""
    text = (DEPLOY / "helm" / "server.yaml").read_text()
    addressed = {name for name, value in COMPOSED.environment("api-1").items() if "@redis" in value}
    assert addressed == set(re.findall(r"--from-literal=(PREFECT_\w+)=redis", text))


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_a_secret_that_is_not_set(name: str) -> None:
    """Nothing starts with an empty one."""
    lacking = Composed({**VARIABLES, name: ""})
    with pytest.raises(AssertionError, match=name):
        _ = [lacking.environment(service) for service in lacking.services]


def test_no_secret_is_written_down() -> None:
    """All of them are variables; the example has none, and none is on a command line."""
    assert {""} == set(env_file(DEPLOY / "secrets.env.example").values())
    for service in COMPOSED.services:
        command = COMPOSED.services[service].get("command", [])
        assert not any(value in " ".join(COMPOSED.command(service)) for value in VARIABLES.values()) if command else True
    text = "".join(path.read_text() for path in DEPLOY.rglob("*") if path.is_file() and path.name != "secrets.env.example")
    assert set() == {word for word in re.findall(r"PASSWORD=\S+", text) if "$" not in word}


def test_only_the_balancer_is_reached_from_outside() -> None:
    """And by this machine alone, until somebody says otherwise."""
    published = {name: service["ports"] for name, service in COMPOSED.services.items() if "ports" in service}
    assert {"balancer": ["${PUBLISH:-127.0.0.1:4200}:4200"]} == published


def test_nobody_migrates_but_one() -> None:
    """Who needs the database waits until it has been migrated once: two that migrate at once crash one another."""
    assert "false" == env_file(DEPLOY / "server.env")["PREFECT_SERVER_DATABASE_MIGRATE_ON_START"]
    waits = {name: COMPOSED.services[name]["depends_on"]["migrate"]["condition"] for name in SERVERS[1:]}
    assert {"service_completed_successfully"} == set(waits.values())
    assert chart("server")["migrations"]["enabled"] is True


def test_what_the_cluster_must_bring() -> None:
    """The charts' own databases keep nothing, so they are off; secrets and settings are called as the comments make them."""
    values = chart("server")
    assert [False, False] == [values["postgresql"]["enabled"], values["redis"]["enabled"]]
    assert (False, "defib-postgresql") == (values["secret"]["create"], values["secret"]["name"])
    for part in (values["server"], values["backgroundServices"]):
        assert ("defib-server", "defib-redis") == (part["extraEnvVarsCM"], part["extraEnvVarsSecret"])
    text = (DEPLOY / "helm" / "server.yaml").read_text() + (DEPLOY / "helm" / "worker.yaml").read_text()
    for made in ("configmap defib-server", "configmap defib-worker", "defib-auth", "defib-postgresql", "defib-redis"):
        assert f"create {'' if 'configmap' in made else 'secret generic '}{made} --from" in text


@pytest.mark.parametrize("name", ["defib", "flows", "runbooks", "automations", "prefect.yaml", "requirements.lock"])
def test_the_image_has_what_its_commands_read(name: str) -> None:
    """`flows.deploy` and `flows.automations` make what stands in files beside them."""
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    copied = {word for line in dockerfile.splitlines() if line.startswith("COPY ") for word in line.split()[1:-1]}
    assert name in copied
    assert f"!{name}" in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert (ROOT / name).exists()


def test_the_image_has_the_locked_prefect() -> None:
    """Its version is the one in the lock, and everything in it comes from the lock, by its hashes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = next(each.removeprefix("prefect==") for each in project["dependencies"] if each.startswith("prefect=="))
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert f"FROM prefecthq/prefect:{version}-python3.11\n" in dockerfile
    assert "--require-hashes -r requirements.lock" in dockerfile
    lock = (ROOT / "requirements.lock").read_text()
    assert all(f"\n{needed}==" in f"\n{lock}" for needed in ("asyncpg", "redis", "prefect-redis"))
    tag = f"defib:{project['version']}"
    assert {tag} == {each["image"] for each in COMPOSED.services.values() if each["image"].startswith("defib:")}
    assert project["version"] == chart("server")["global"]["prefect"]["image"]["prefectTag"]
