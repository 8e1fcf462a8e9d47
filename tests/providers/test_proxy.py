"""The lab is reached past any proxy, and only the lab."""

from __future__ import annotations

import pytest

from defib.providers.proxy import on_loopback


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.77.1.1:7701", True),
        ("http://localhost:7701/x", True),
        ("http://[::1]:7701", True),
        ("https://api.cloudflare.com/client/v4", False),
        ("https://10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_recognised(url: str, expected: bool) -> None:
    """An address of this machine is no business of the network's proxy."""
    assert on_loopback(url) is expected
