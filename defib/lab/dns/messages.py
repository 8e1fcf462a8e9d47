"""DNS messages in and out of a server: reading requests, checking their TSIG, and rendering replies.

TSIG as RFC 8945 has it: an unknown key (or the wrong algorithm for it) is BADKEY and a wrong signature
BADSIG, both answered unsigned; a wrong time is BADTIME, answered signed with the server's own time in
"other data".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdtypes.ANY.TSIG
import dns.tsig
from dns.message import Message
from dns.opcode import Opcode
from dns.rcode import Rcode
from dns.rdata import Rdata
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from defib.clock import Clock, SystemClock
from defib.lab.dns.endpoint import Via

_HEADER = 12
_PAYLOAD = 1232
"""The EDNS size that our servers announce: what passes every network unfragmented (DNS flag day 2020)."""


@dataclass(frozen=True)
class TsigKey:
    """A shared key; `secret` is base64, `algorithm` as in site files."""

    name: str
    secret: str = field(repr=False)
    algorithm: str = "hmac-sha256"


class Rejected(Exception):
    """A request that goes no further; `reply` is what to send back, None for nothing."""

    def __init__(self, reply: bytes | None) -> None:
        super().__init__("request rejected")
        self.reply = reply


class RequestReader:
    """Reads requests and verifies their signatures with `keys`."""

    def __init__(self, keys: Iterable[TsigKey] = (), clock: Clock | None = None) -> None:
        made = [dns.tsig.Key(key.name, key.secret, key.algorithm) for key in keys]
        self._keys = {key.name: key for key in made}
        self._clock = clock or SystemClock()

    def read(self, wire: bytes) -> Message:
        """The request in `wire`, its signature verified if it has one; raises :class:`Rejected` otherwise."""
        try:
            request = dns.message.from_wire(wire, keyring=False)
            self._check_form(request)
            return dns.message.from_wire(wire, keyring=self._keys) if request.had_tsig else request
        except (dns.message.UnknownTSIGKey, dns.tsig.BadKey, dns.tsig.BadAlgorithm) as error:
            raise Rejected(_tsig_error(request, Rcode.BADKEY)) from error
        except dns.tsig.BadSignature as error:
            raise Rejected(_tsig_error(request, Rcode.BADSIG)) from error
        except dns.tsig.BadTime as error:
            raise Rejected(self._bad_time(request)) from error
        except (dns.exception.DNSException, ValueError, NotImplementedError) as error:
            raise Rejected(bare_reply(wire, Rcode.FORMERR)) from error

    def _check_form(self, request: Message) -> None:
        if request.flags & dns.flags.QR:
            raise Rejected(None)
        if request.edns > 0:
            response = reply_to(request, Rcode.BADVERS)
            raise Rejected(response.to_wire())
        if request.opcode() not in (Opcode.QUERY, Opcode.UPDATE):
            raise Rejected(reply_to(request, Rcode.NOTIMP).to_wire())
        if request.opcode() == Opcode.QUERY and len(request.question) != 1:
            raise Rejected(reply_to(request, Rcode.FORMERR).to_wire())

    def _bad_time(self, request: Message) -> bytes:
        assert request.keyname is not None, "only signed requests come here"
        now = int(self._clock.now().timestamp())
        return _tsig_error(request, Rcode.BADTIME, now.to_bytes(6, "big"), self._keys[request.keyname])


def reply_to(request: Message, rcode: Rcode = Rcode.NOERROR, *, recursive: bool = False) -> Message:
    """An empty reply to `request`, which will be signed if the request was (and was verified)."""
    reply = dns.message.make_response(request, recursion_available=recursive, our_payload=_PAYLOAD)
    reply.set_rcode(rcode)
    return reply


def rendered(reply: Message, request: Message, via: Via) -> bytes:
    """`reply` on the wire; over UDP cut with TC to what the asker can take (512 octets without EDNS)."""
    if via != Via.UDP:
        return reply.to_wire(max_size=65535)
    room = max(request.payload, 512) if request.edns >= 0 else 512
    return reply.to_wire(max_size=room, prefer_truncation=True)


def bare_reply(wire: bytes, rcode: Rcode) -> bytes | None:
    """A reply made from the header alone, for what cannot be read; None to what is no request."""
    if len(wire) < _HEADER or wire[2] & 0x80:
        return None
    kept = (wire[2] & 0x79) | 0x80
    return wire[:2] + bytes((kept, int(rcode) & 0x0F)) + bytes(8)


def _tsig_error(request: Message, error: Rcode, other: bytes = b"", key: dns.tsig.Key | None = None) -> bytes:
    """A NOTAUTH reply whose TSIG says `error`; signed if `key` is given.

    dnspython cannot render these: it always signs, and always with the present time, whereas RFC 8945
    (5.2.3) wants the asker's own time back with BADTIME.
    """
    assert request.tsig is not None, "only signed requests come here"
    asked = request.tsig[0]
    assert isinstance(asked, dns.rdtypes.ANY.TSIG.TSIG), "a TSIG record set holds TSIG records"
    request.keyring = None
    wire = reply_to(request, Rcode.NOTAUTH).to_wire()
    said = asked.replace(mac=b"", original_id=request.id, error=error, other=other)
    if key is not None:
        # dnspython leaves this function without annotations.
        said, _ = dns.tsig.sign(wire, key, said, asked.time_signed, asked.mac)  # type: ignore[no-untyped-call]
    return _with_record(wire, request.tsig.name, said)


def _with_record(wire: bytes, owner: dns.name.Name, tsig: Rdata) -> bytes:
    additional = int.from_bytes(wire[10:12], "big") + 1
    body = tsig.to_wire() or b""
    head = struct.pack("!HHIH", RdataType.TSIG, RdataClass.ANY, 0, len(body))
    return wire[:10] + additional.to_bytes(2, "big") + wire[12:] + (owner.to_wire() or b"") + head + body
