"""Where Prefect may listen, and who is asked for a password."""

from __future__ import annotations

import socket

import pytest

from defib.errors import InputError, PortTaken
from flows.service.place import Place


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_alone(host: str) -> None:
    """What only this machine reaches is loopback, by whatever name."""
    assert Place(host).is_loopback()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_beyond_this_machine(host: str) -> None:
    """Whatever others can reach is not, and listening everywhere is the most of it."""
    assert not Place(host).is_loopback()


@pytest.mark.parametrize(
    ("host", "url"), [("0.0.0.0", "http://127.0.0.1:4200"), ("::", "http://[::1]:4200"), ("::1", "http://[::1]:4200")]
)
def test_the_address_that_this_machine_uses(host: str, url: str) -> None:
    """Who listens everywhere is reached by loopback, and IPv6 stands in brackets."""
    assert (url, f"{url}/api") == (Place(host).url, Place(host).api)


def test_the_address_that_others_use() -> None:
    """Who listens everywhere is reached from elsewhere by this machine's name, never by loopback."""
    assert f"http://{socket.gethostname()}:4200" == Place("0.0.0.0").elsewhere


def test_a_port_in_use_is_refused_before_anything_starts() -> None:
    """The message has the place and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as refused:
            Place("127.0.0.1", port).must_be_free(then="another port")
    assert (f"127.0.0.1:{port}", "another port") == (refused.value.where, refused.value.then)


@pytest.mark.parametrize("host", ["192.0.2.7", "no-such-host.invalid"])
def test_a_host_that_is_not_this_machine(host: str) -> None:
    """It is said that it is none of ours, not that its port is in use."""
    with pytest.raises(InputError) as refused:
        Place(host).must_be_free(then="")
    assert host in f"{refused.value.where} {refused.value.seen}"


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none(port: int) -> None:
    """It is refused as it is given."""
    with pytest.raises(InputError):
        Place("127.0.0.1", port)
