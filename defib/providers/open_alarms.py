"""The alarms that a site file names as reasons not to drill. Nothing is imported or asked before they are opened."""

from __future__ import annotations

from defib.drills.blocking import Alarms
from defib.providers.open import Secrets, aws_access
from defib.sites.site import Site


def open_alarms(site: Site, secrets: Secrets) -> tuple[Alarms, ...]:
    """One for each region that is to be asked; :class:`SecretMissing` where its credentials are not there."""
    if site.drills is None or not site.drills.alarms:
        return ()
    from defib.providers.blocking.cloudwatch import CloudWatchAlarms  # noqa: PLC0415 - vendors' libraries load when used

    return tuple(CloudWatchAlarms(each.names, aws_access(each.aws, secrets)) for each in site.drills.alarms)
