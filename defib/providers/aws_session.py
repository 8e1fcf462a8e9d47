"""Sessions and settings of boto3 that know nothing but what they are given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from defib.providers.proxy import on_loopback

if TYPE_CHECKING:
    from defib.providers.aws import AwsAccess


def session(access: AwsAccess) -> boto3.Session:
    """As :meth:`AwsAccess.session`."""
    if not access.access_key:
        return boto3.Session(region_name=access.region)
    # A profile named in the environment would be looked for even with keys, and fail where it does not exist.
    closed = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
            "ignore_configured_endpoint_urls": (None, None, True, None),
        }
    )
    closed.register_component("data_loader", _MODELS)
    return boto3.Session(
        aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key,
        region_name=access.region,
        botocore_session=closed,
    )


def config(access: AwsAccess, timeout: float) -> Config:
    """As :meth:`AwsAccess.config`."""
    return Config(
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={"total_max_attempts": 1},
        proxies={} if on_loopback(access.endpoint) else None,
    )


class _Models(Loader):
    """The descriptions of AWS's services, for every session of the process: each would read them again, some 40 ms long."""

    @property
    def search_paths(self) -> list[str]:
        """Where they are; a copy, because each session adds to it where those of resources are, which are not used here."""
        return list(super().search_paths)


_MODELS = _Models()
