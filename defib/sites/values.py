"""What site files and runbooks are written in: durations, host names, references to secrets, and access to AWS."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: object) -> timedelta:
    """``"4h"``, ``"90s"``, ``"800ms"``, ``"1h 30m"`` as a positive timedelta; ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    if not re.fullmatch(r"(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+", text):
        raise ValueError(f"a duration such as 4h, 90s or 800ms, not {text!r}")
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", text)
    try:
        total = timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError as error:
        raise ValueError("a duration that a calendar can hold") from error
    if total <= timedelta(0):
        raise ValueError("a duration longer than zero")
    return total


def secret_reference(value: object) -> str:
    """A reference to a secret; ValueError for anything that may be one."""
    text = str(value)
    if not re.match(r"^(env|file|aws-secret):.+$", text):
        # The value itself is not repeated: it may be the secret.
        raise ValueError("a reference (env:NAME, file:PATH or aws-secret:ID), never the secret itself")
    return text


def fully_qualified(value: object) -> str:
    """A host name in lower case with its trailing dot; ValueError for what is none."""
    text = str(value).lower()
    if not re.fullmatch(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+", text.rstrip(".") + "."):
        raise ValueError(f"a host name, not {text!r}")
    return text.rstrip(".") + "."


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
SecretReference = Annotated[str, BeforeValidator(secret_reference)]
HostName = Annotated[str, BeforeValidator(fully_qualified)]
"""A fully qualified name in lower case with its trailing dot; files may leave the dot out."""


class Part(BaseModel):
    """A part of a file: unknown keys are refused, and what was read is not changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Aws(Part):
    """How to reach AWS. Without keys the default chain of boto3 is used; `endpoint` is for the lab."""

    region: str = "us-east-1"
    endpoint: str = ""
    access_key: SecretReference | None = None
    secret_key: SecretReference | None = None
