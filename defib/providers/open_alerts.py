"""The channels and status pages that a site file asks for. Nothing is imported, resolved or asked before one is opened."""

from __future__ import annotations

from defib.alerts.alert import Channel, StatusPage
from defib.providers.open import Secrets, aws_access
from defib.sites.alerts import AlertChannel, AtlassianStatuspage, S3StatusPage
from defib.sites.site import Site


def open_channel(config: AlertChannel, secrets: Secrets) -> Channel:
    """One channel, ready to send; :class:`SecretMissing` where its URL is not there or is none."""
    from defib.providers.alert.apprise import AppriseChannel  # noqa: PLC0415 - a tenth of a second, see above

    return AppriseChannel(config.name, secrets(config.url))


def open_status(site: Site, config: AtlassianStatuspage | S3StatusPage, secrets: Secrets) -> StatusPage:
    """One status page about `site`; :class:`SecretMissing` where its credentials are not there."""
    if isinstance(config, AtlassianStatuspage):
        from defib.providers.status import statuspage  # noqa: PLC0415

        token = secrets(config.token)
        return statuspage.Statuspage(config.name, site.site, config.page, config.components, token, config.api)
    from defib.providers.status import s3  # noqa: PLC0415

    return s3.S3StatusPage(config.name, site.title, config.bucket, config.prefix, aws_access(config.aws, secrets))
