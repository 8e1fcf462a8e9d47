"""DNS: each module fulfils :class:`defib.ports.DnsZone` for one vendor."""
