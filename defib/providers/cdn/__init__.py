"""CDN: each module fulfils :class:`defib.ports.Cdn` for one vendor."""
