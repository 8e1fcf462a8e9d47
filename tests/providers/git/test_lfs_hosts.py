"""Git LFS where the server sends us to other hosts: who is told what, and who is not asked at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from defib.errors import InputError
from defib.lab.web import Request, Response
from defib.providers.git.lfs import LfsRemote
from tests.providers.git.lfs_stage import LOGIN, LfsStage, is_batch, lfs_stage, objects


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[LfsStage]:
    """Servers that run while the test does."""
    with lfs_stage(tmp_path) as running:
        yield running


def test_our_login_is_for_nobody_else(stage: LfsStage) -> None:
    """Objects at another host are had with what the server says for that host; our token never goes there."""
    bodies = objects(3)
    wanted = stage.put(bodies)
    stage.server.spoil = stage.send_elsewhere
    assert wanted == stage.remote.fetch(wanted, stage.store, within=stage.within()).brought
    for each in wanted:
        stage.server.lfs.path(each.oid).unlink()
    assert wanted == stage.remote.send(wanted, stage.store, within=stage.within()).uploaded
    assert {"GET", "PUT", "POST"} == {request.method for request in stage.elsewhere.asked}
    told = [str(request.headers) for request in stage.elsewhere.asked]
    assert not any(LOGIN.password in each or LOGIN.header.split()[1] in each for each in told)
    assert {"a2V5LW9mLXRoZS1vdGhlci1ob3N0"} == {request.headers["authorization"] for request in stage.elsewhere.asked}


def test_another_host_that_refuses(stage: LfsStage) -> None:
    """Another host's 403 is about its object, and says nothing of our token."""
    wanted = stage.put(objects(2))
    stage.server.spoil = stage.send_elsewhere
    stage.elsewhere.spoil = lambda request, answer: (
        Response(403, (), b"<Error>SignatureDoesNotMatch</Error>") if wanted[0].oid in request.target else answer
    )
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert ("HTTP 403: <Error>SignatureDoesNotMatch</Error>", (wanted[1],)) == (fetched.missing[0].why, fetched.brought)


def test_redirected(stage: LfsStage) -> None:
    """GitLab sends downloads on to where it keeps its objects: they are had there, and nothing of us is told there."""
    wanted = stage.put(objects(2))

    def spoil(request: Request, answer: Response) -> Response:
        return (
            Response(302, (("Location", f"{stage.elsewhere.web.url}{request.target}?key=1"),))
            if request.method == "GET"
            else answer
        )

    stage.server.spoil = spoil
    assert wanted == stage.remote.fetch(wanted, stage.store, within=stage.within()).brought
    assert not any("authorization" in request.headers for request in stage.elsewhere.asked)
    stage.store.path(wanted[0].oid).unlink()
    stage.elsewhere.spoil = lambda request, _: Response(302, (("Location", request.target),))
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert "sends us on more than 3 times" in fetched.missing[0].why


def test_redirected_uploads(stage: LfsStage) -> None:
    """An upload is sent nowhere else than where the server named."""
    wanted = stage.keep(objects(1))

    def spoil(request: Request, answer: Response) -> Response:
        return Response(307, (("Location", f"{stage.elsewhere.web.url}/x"),)) if request.method == "PUT" else answer

    stage.server.spoil = spoil
    sent = stage.remote.send(wanted, stage.store, within=stage.within())
    assert "HTTP 307" in sent.refused[0].why
    assert [] == stage.elsewhere.asked


PLACES = ["http://storage.test/x?key=abcdef", "ftp://127.0.0.1/x", "file:///etc/passwd"]


@pytest.mark.parametrize(
    ("place", "redirected"),
    [(each, how) for each in PLACES for how in (False, True)] + [("no url", False), ("http://[::1", False)],
)
def test_no_place_without_tls(stage: LfsStage, place: str, redirected: bool) -> None:
    """Nothing goes over a network without TLS, nor by any other scheme; and no key is told to people."""
    wanted = stage.put(objects(1))

    def spoil(request: Request, answer: Response) -> Response:
        if redirected and request.method == "GET":
            return Response(302, (("Location", place),))
        href = f"{stage.server.url}/info/lfs/objects/{wanted[0].oid}"
        return Response(200, (), answer.body.replace(href.encode(), place.encode())) if not redirected else answer

    stage.server.spoil = spoil
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert 1 == len(fetched.missing)
    assert "abcdef" not in str(fetched)


def test_no_server_without_tls() -> None:
    """Nor is a remote asked over plain HTTP, unless it is on this machine."""
    with pytest.raises(InputError, match="TLS"):
        LfsRemote("http://git.test/pulse.git", LOGIN)


@pytest.mark.parametrize("expiry", ['"expires_in": -1', '"expires_at": "2020-01-01T00:00:00Z"'])
def test_expired(stage: LfsStage, expiry: str) -> None:
    """A place that is no longer good is asked for anew before it is used."""
    wanted = stage.put(objects(2))

    def spoil(_: Request, answer: Response) -> Response:
        first = len(stage.server.asked) == 1
        return Response(200, (), answer.body.replace(b'"expires_in": 3600', expiry.encode())) if first else answer

    stage.server.spoil = spoil
    assert wanted == stage.remote.fetch(wanted, stage.store, within=stage.within()).brought
    assert 3 == len(stage.server.batches())


def test_dates_of_nothing(stage: LfsStage) -> None:
    """Servers written in Go give the year 1 for what does not expire."""
    wanted = stage.put(objects(1))
    stage.server.spoil = lambda _, answer: Response(
        200, (), answer.body.replace(b'"expires_in": 3600', b'"expires_at": "0001-01-01T00:00:00Z"')
    )
    assert wanted == stage.remote.fetch(wanted, stage.store, within=stage.within()).brought
    assert 1 == len(stage.server.batches())


def test_chunked_uploads(stage: LfsStage) -> None:
    """GitLab asks for uploads without a length."""
    wanted = stage.keep(objects(1))

    def spoil(request: Request, answer: Response) -> Response:
        header = b'"Transfer-Encoding": "chunked", "Authorization"'
        return Response(200, (), answer.body.replace(b'"Authorization"', header)) if is_batch(request) else answer

    stage.server.spoil = spoil
    assert wanted == stage.remote.send(wanted, stage.store, within=stage.within()).uploaded
    (put,) = [request for request in stage.server.asked if request.method == "PUT"]
    assert ("chunked", False) == (put.headers["transfer-encoding"], "content-length" in put.headers)
