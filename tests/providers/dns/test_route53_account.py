"""The limit of calls is the account's: zones that are opened with the same keys share it, and a read takes what it needs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Unavailable
from defib.lab.alone import serve_aws
from defib.lab.furniture import ZONE_ID
from defib.ports import RecordKey
from defib.providers.open import open_zone
from defib.sites.values import Aws
from defib.sites.vendors import Route53Zone, Server

KEYS = tuple(RecordKey(f"{name}.pulse-trading.test.", "A") for name in ("www", "wwx", "wwy"))


def test_zones_of_one_account_share_its_five_calls_a_second() -> None:
    """Five reads of whatever many neighbouring keys go out at once, and the sixth waits, at whichever zone it is."""
    clock = SystemClock()
    with serve_aws() as aws:
        values = {"env:KEY": aws.credentials.access_key, "env:SECRET": aws.credentials.secret_key}

        def opened(access_key: str = "env:KEY") -> Route53Zone:
            reached = Aws(endpoint=aws.endpoint, access_key=access_key, secret_key="env:SECRET")
            server = Server(name="ns", address="127.0.0.1")
            return Route53Zone(
                provider="route53", zone="pulse-trading.test.", zone_id=ZONE_ID, servers=(server,), aws=reached
            )

        zones = [open_zone(opened(), values.__getitem__) for _ in range(3)]
        zones[0].read(KEYS, within=Deadline.after(clock, timedelta(seconds=10)))  # makes the client
        clock.sleep(timedelta(seconds=1.1))
        started = clock.monotonic()
        for number in range(5):
            zones[number % 3].read(KEYS, within=Deadline.after(clock, timedelta(seconds=10)))
        if clock.monotonic() - started > timedelta(milliseconds=600):
            pytest.skip("the machine took too long for five calls to tell the limit from it")
        with pytest.raises(Unavailable, match="limit of calls"):
            zones[2].read(KEYS, within=Deadline.after(clock, timedelta(milliseconds=100)))
        other = open_zone(opened("env:OTHER"), {**values, "env:OTHER": values["env:KEY"]}.__getitem__)
        told = ""
        try:
            other.read(KEYS, within=Deadline.after(clock, timedelta(milliseconds=500)))
        except Unavailable as error:
            told = error.what
        assert "limit of calls" not in told
