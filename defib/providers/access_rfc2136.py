"""Whether a TSIG key may update the record sets of a recovery, asked by an update that can change nothing.

The message removes, from each record set, one value that nobody has there. By RFC 2136 (section 3.4.2.4) removing what is
not there does nothing, so whatever the server does, the zone stays as it is, with its serial. What servers answer:

====================================  ========================  ===============================
the key                               BIND 9.18                 RFC 2136 and RFC 8945
====================================  ========================  ===============================
may update (policy or allow-update)   NOERROR                   NOERROR (3.8)
is known, and may not update          REFUSED                   REFUSED (3.3)
may update other names or types only  REFUSED                   REFUSED (3.3)
is not known to the server            NOTAUTH, BADKEY           NOTAUTH, BADKEY (8945, 5.2.1)
====================================  ========================  ===============================

A prerequisite that cannot hold would be no proof: RFC 2136 has a server look at prerequisites (3.2) before permissions
(3.3), so that NXRRSET and YXRRSET may come from one that would have refused. BIND 9.18 asks for permission first, others
need not.
"""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_bytes

import dns.name
import dns.tsig
import dns.update

from defib.clock import Deadline
from defib.errors import Conflict, Denied
from defib.ports import RecordKey
from defib.providers.dns.exchange import NameServer, exchange
from defib.ready.access import Grant
from defib.sites.vendors import Server


class Rfc2136Access:
    """Fulfils :class:`defib.ready.access.Access` for one key at the primary of a zone, and the record sets of a recovery."""

    def __init__(self, zone: str, primary: Server, key: dns.tsig.Key, keys: Sequence[RecordKey]) -> None:
        self._zone = zone
        self._primary = NameServer(primary, key)
        self._who = key.name.to_text(omit_final_dot=True)
        self._keys = tuple(keys)

    @property
    def about(self) -> str:
        """The zone."""
        return f"rfc2136 {self._zone}"

    def granted(self, *, within: Deadline) -> Grant:
        """What the primary says to an update of each record set that changes nothing; keys have no end."""
        refused = []
        for key in self._keys:
            try:
                exchange(self._primary, harmless(self._zone, key), within, f"an UPDATE of {key} that changes nothing")
            except Denied as error:
                if error.seen != "REFUSED":
                    raise  # the server does not know the key, or the clocks differ
                refused.append(str(key))
            except Conflict as error:
                why = f"{self._primary} says {error.seen} to an update without prerequisites"
                return Grant(may_edit=None, who=self._who, why=why)
        if refused:
            return Grant(may_edit=False, who=self._who, why=f"REFUSED for {', '.join(refused)}")
        return Grant(may_edit=True, who=self._who)


def harmless(zone: str, key: RecordKey) -> dns.update.UpdateMessage:
    """An update of `key` that changes nothing, because it removes a value that nobody has there."""
    message = dns.update.UpdateMessage(dns.name.from_text(zone))
    message.delete(dns.name.from_text(key.name), key.type, _nobodys(key.type))
    return message


def _nobodys(kind: str) -> str:
    """A value of the type that stands in no zone: a name that is none, or an address that no packet may be sent to.

    0.0.0.0/8 is "this network" (RFC 6890), 100::/64 is discarded (RFC 6666).
    """
    high, low = token_bytes(2)
    tail = f"{high:02x}{low:02x}"
    return {"A": f"0.{high}.{low}.1", "AAAA": f"100::{tail}"}.get(kind, f"defib-{tail}.invalid.")
