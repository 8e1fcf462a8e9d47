"""Secret references lead to values, or say what is missing without showing any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from defib.errors import SecretMissing
from defib.providers.secret import resolve


def test_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """env: reads a variable as it is."""
    monkeypatch.setenv("DEFIB_TEST_SECRET", " s3cret ")
    assert resolve("env:DEFIB_TEST_SECRET", tmp_path) == " s3cret "


@pytest.mark.parametrize("value", [None, ""])
def test_missing_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None) -> None:
    """A variable that is not set, or empty, is missing, and the message says how to set it."""
    monkeypatch.delenv("DEFIB_TEST_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("DEFIB_TEST_SECRET", value)
    with pytest.raises(SecretMissing) as caught:
        resolve("env:DEFIB_TEST_SECRET", tmp_path)
    assert caught.value.where == "env:DEFIB_TEST_SECRET"
    assert caught.value.then == "export DEFIB_TEST_SECRET=…"


@pytest.mark.parametrize(
    ("written", "expected"), [("s3cret\n", "s3cret"), ("s3cret", "s3cret"), ("a\nb\r\n", "a\nb"), ("s \n\n", "s \n")]
)
def test_file(tmp_path: Path, written: str, expected: str) -> None:
    """file: reads relative to the home, without the last line break and with everything else."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "key").write_bytes(written.encode())
    assert resolve("file:lab/key", tmp_path) == expected


def test_absolute_file(tmp_path: Path) -> None:
    """file: with an absolute path does not depend on the home."""
    (tmp_path / "key").write_text("s3cret")
    assert resolve(f"file:{tmp_path}/key", tmp_path / "elsewhere") == "s3cret"


def test_unusable_files(tmp_path: Path) -> None:
    """A file that is absent, a folder, empty or not text is missing; what it holds is not shown."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"s3cret\xff\xfe")
    for name in ("absent", ".", "empty", "binary"):
        with pytest.raises(SecretMissing) as caught:
            resolve(f"file:{name}", tmp_path)
        assert caught.value.where == f"file:{name}"
        assert str(tmp_path) in caught.value.expected
        assert "s3cret" not in f"{caught.value} {caught.value.__cause__!r}"


def test_literal_secret_is_not_repeated(tmp_path: Path) -> None:
    """E13: what is no reference may be the secret itself."""
    with pytest.raises(SecretMissing) as caught:
        resolve("AKIA-the-secret-itself", tmp_path)
    assert "secret-itself" not in str(caught.value)


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Secrets Manager on loopback that holds two secrets, one of them JSON; gives the ARN of the plain one."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    client = boto3.client("secretsmanager", region_name="eu-west-1")
    made = client.create_secret(Name="plain", SecretString="s3cret")
    client.create_secret(Name="object", SecretString=json.dumps({"token": "t0ken", "number": 7}))
    yield made["ARN"]
    client.delete_secret(SecretId="plain", ForceDeleteWithoutRecovery=True)
    client.delete_secret(SecretId="object", ForceDeleteWithoutRecovery=True)
    client.close()
    server.stop()


def test_aws_secret(secrets_manager: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """aws-secret: reads by name, by ARN whose region it takes, and one key of a JSON object."""
    assert resolve("aws-secret:plain", tmp_path) == "s3cret"
    assert resolve("aws-secret:object#token", tmp_path) == "t0ken"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert resolve(f"aws-secret:{secrets_manager}", tmp_path) == "s3cret"


@pytest.mark.parametrize("reference", ["absent", "plain#token", "object#other", "object#number"])
def test_missing_aws_secret(secrets_manager: str, tmp_path: Path, reference: str) -> None:
    """A secret, or a part of one, that is not there is missing; what is there instead is not shown."""
    with pytest.raises(SecretMissing) as caught:
        resolve(f"aws-secret:{reference}", tmp_path)
    assert caught.value.where == f"aws-secret:{reference}"
    assert "s3cret" not in str(caught.value)
    assert "t0ken" not in str(caught.value)
