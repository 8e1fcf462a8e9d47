"""A primary name server that takes RFC 2136 updates signed with TSIG, and feeds its secondaries."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from dns.message import Message
from dns.rcode import Rcode
from dns.rdataclass import IN
from dns.update import UpdateMessage

from defib.errors import InputError
from defib.lab.dns.authority import Authority
from defib.lab.dns.messages import TsigKey, reply_to
from defib.lab.dns.update import UpdateFailed, updated
from defib.lab.dns.zone import PublishedZone, compile_zone


class DynamicPrimary:
    """The primary of one zone: its own :class:`Authority`, and secondaries that get every new content.

    Its `authority` carries the faults of any server. Two more concern updates alone: `lying` answers
    NOERROR and changes nothing, `mute` makes the change and never says so, as when the reply is lost.
    """

    def __init__(
        self,
        name: str,
        address: str,
        port: int,
        *,
        zone: PublishedZone,
        keys: Iterable[TsigKey],
        secondaries: Sequence[Authority] = (),
        refuse_conflicts: bool = True,
        dice: random.Random | None = None,
    ) -> None:
        self.authority = Authority(name, address, port, keys=keys, updater=self._update, dice=dice)
        self.lying = False
        self.mute = False
        self.refuse_conflicts = refuse_conflicts
        self._secondaries = tuple(secondaries)
        self.load(zone)

    @property
    def zone(self) -> PublishedZone:
        """What the zone holds, whatever its servers answer."""
        return self._zone

    @property
    def name(self) -> str:
        """The server's name."""
        return self.authority.name

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.authority.address

    @property
    def port(self) -> int:
        """Where it listens; with port 0 known once started."""
        return self.authority.port

    def load(self, zone: PublishedZone) -> None:
        """Replace the zone as a whole, outside of any update; weighted sets have no place here."""
        if any(each.weight is not None for each in zone.sets):
            raise InputError(f"zone {zone.origin} has weighted sets", expected="plain sets on this server")
        compiled = compile_zone(zone)
        self._zone, self._compiled = zone, compiled
        for server in (self.authority, *self._secondaries):
            server.publish(zone)

    async def start(self) -> None:
        """Listen; raises :class:`defib.errors.PortTaken`. Whoever made the secondaries starts them."""
        await self.authority.start()

    async def stop(self) -> None:
        """Stop listening; the zone stays. Safe to repeat."""
        await self.authority.stop()

    def _update(self, request: Message) -> Message | None:
        # No await from the first prerequisite to the last change: updates never interleave.
        rcode = self._judge(request)
        return None if self.mute else reply_to(request, rcode)

    def _judge(self, request: Message) -> Rcode:
        if not isinstance(request, UpdateMessage) or len(request.zone) != 1:
            return Rcode.FORMERR
        asked = request.zone[0]
        if asked.name != self._compiled.origin or asked.rdclass != IN:
            return Rcode.NOTAUTH
        if not request.had_tsig:
            # Before the prerequisites, unlike RFC 2136 (3.3) and like BIND: a stranger must not learn from
            # them.
            return Rcode.REFUSED
        return self._commit(request)

    def _commit(self, request: UpdateMessage) -> Rcode:
        try:
            after = updated(self._compiled, request, refuse_conflicts=self.refuse_conflicts)
        except UpdateFailed as failure:
            return failure.rcode
        if after is not None and not self.lying:
            self.load(after)
        return Rcode.NOERROR
