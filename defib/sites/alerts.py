"""Who is told of a site's recoveries: the parts of a site file on alerts and status pages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from defib.alerts.alert import AlertKind
from defib.sites.values import Aws, Part, SecretReference


class AlertChannel(Part):
    """A channel that Apprise can reach (https://github.com/caronc/apprise/wiki), and what it is told.

    Apprise's URLs hold tokens and passwords, so `url` is a reference to a secret.
    """

    name: str = Field(min_length=1)
    url: SecretReference
    kinds: tuple[AlertKind, ...] = Field(default=tuple(AlertKind), min_length=1)


class _StatusPage(Part):
    name: str = Field(min_length=1)


class AtlassianStatuspage(_StatusPage):
    """A page at Atlassian Statuspage by its id; `components` are the ids of those that a failure of the site takes down."""

    provider: Literal["statuspage"]
    page: str = Field(pattern=r"^[A-Za-z0-9]+$")
    components: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$")], ...] = ()
    token: SecretReference
    api: str = "https://api.statuspage.io/v1"


class S3StatusPage(_StatusPage):
    """``status.json`` and ``index.html`` under `prefix` of a bucket, which somebody else makes public."""

    provider: Literal["s3"]
    bucket: str = Field(min_length=3)
    prefix: str = Field(default="", pattern=r"^([\w.-]+/)*$")
    aws: Aws = Aws()


StatusPageConfig = Annotated[AtlassianStatuspage | S3StatusPage, Field(discriminator="provider")]
