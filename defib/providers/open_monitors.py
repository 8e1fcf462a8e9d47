"""The monitors and signals that a site file asks for. Nothing is imported, resolved or asked before one is opened."""

from __future__ import annotations

from defib.monitor import Monitor, Signal
from defib.providers.open import Secrets
from defib.sites.monitors import MonitorOfSite, SentrySessions, UptimeRobotMonitor


def open_monitor(config: MonitorOfSite, secrets: Secrets) -> Monitor:
    """One monitor, ready to be asked; :class:`SecretMissing` where its token is not there."""
    token = secrets(config.token)
    if isinstance(config, UptimeRobotMonitor):
        from defib.providers.monitor.uptimerobot import UptimeRobot  # noqa: PLC0415 - httpx is for sites with monitors

        return UptimeRobot(config.name, config.monitor, token, config.api)
    from defib.providers.monitor.pingdom import Pingdom  # noqa: PLC0415

    return Pingdom(config.name, config.check, token, config.api)


def open_signal(config: SentrySessions, secrets: Secrets) -> Signal:
    """One signal, ready to be asked; :class:`SecretMissing` where its token is not there."""
    from defib.providers.monitor.sentry import Sentry  # noqa: PLC0415

    token = secrets(config.token)
    return Sentry(config.name, config.organization, config.project, config.environment, token, config.api)
