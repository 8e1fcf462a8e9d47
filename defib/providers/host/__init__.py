"""Hosting platforms: each module fulfils :class:`defib.ports.Host` for one vendor."""
