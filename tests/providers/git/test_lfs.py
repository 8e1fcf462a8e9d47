"""Git LFS of a remote: what it has is brought, what it lacks is sent, and what is wrong with one object stops no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from defib.clock import SimulatedClock
from defib.errors import Denied, NotFound, Unavailable
from defib.lab.web import Request, Response
from defib.providers.git.lfs import LfsRemote, endpoint_of
from defib.providers.git.lfs_http import Login
from defib.providers.git.lfs_pointers import Pointer
from tests.providers.git.lfs_stage import LOGIN, LfsStage, is_batch, lfs_stage, objects, pointer_to


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[LfsStage]:
    """Servers that run while the test does."""
    with lfs_stage(tmp_path) as running:
        yield running


@pytest.mark.parametrize("url", ["https://git.test/a/b", "https://git.test/a/b/", "https://git.test/a/b.git"])
def test_where_the_server_is(url: str) -> None:
    """As git-lfs finds it, with and without `.git`."""
    assert "https://git.test/a/b.git/info/lfs" == endpoint_of(url)


def test_from_one_to_the_other(stage: LfsStage) -> None:
    """What is brought can be sent; a second time nothing is moved, and everything stands."""
    bodies = objects(5)
    wanted = stage.put(bodies)
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert (wanted, (), ()) == (fetched.brought, fetched.stood, fetched.missing)
    assert bodies == {each: stage.store.path(each.oid).read_bytes() for each in wanted}
    again = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert ((), wanted, ()) == (again.brought, again.stood, again.missing)
    for each in wanted[:3]:
        stage.server.lfs.path(each.oid).unlink()
    sent = stage.remote.send(wanted, stage.store, within=stage.within())
    assert (wanted[:3], wanted[3:], ()) == (sent.uploaded, sent.stood, sent.refused)
    assert sorted(each.oid for each in wanted) == stage.server.lfs.held()
    sent = stage.remote.send(wanted, stage.store, within=stage.within())
    assert ((), wanted, ()) == (sent.uploaded, sent.stood, sent.refused)
    assert [] == stage.incoming()


def test_nothing_to_do(stage: LfsStage) -> None:
    """Without pointers nobody is asked."""
    stage.remote.fetch((), stage.store, within=stage.within())
    stage.remote.send((), stage.store, within=stage.within())
    assert [] == stage.server.asked


def test_what_is_asked(stage: LfsStage) -> None:
    """The batch API is spoken as specified, each object is asked for once, and each upload is verified."""
    (pointer,) = stage.keep(objects(1))
    stage.remote.send([pointer, Pointer(pointer.oid, pointer.size, "copy")], stage.store, within=stage.within())
    batch, put, verify, confirm = stage.server.asked
    assert "/pulse.git/info/lfs/objects/batch" == batch.target == confirm.target
    assert {"application/vnd.git-lfs+json"} == {batch.headers[name] for name in ("accept", "content-type")}
    named = {"oid": pointer.oid, "size": 100}
    asked = {"operation": "upload", "transfers": ["basic"], "objects": [named], "hash_algo": "sha256"}
    assert asked == json.loads(batch.body)
    assert ("PUT", "100", "application/octet-stream") == (
        *(put.method, put.headers["content-length"], put.headers["content-type"]),
    )
    assert ("/pulse.git/info/lfs/verify", named) == (verify.target, json.loads(verify.body))
    assert "download" == json.loads(confirm.body)["operation"]


def test_a_thousand_in_batches(stage: LfsStage) -> None:
    """No batch has more than a hundred objects; everything arrives."""
    wanted = stage.put(objects(1000))
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within(120))
    assert wanted == fetched.brought
    assert [100] * 10 == [len(json.loads(request.body)["objects"]) for request in stage.server.batches()]


def test_missing_at_the_source(stage: LfsStage) -> None:
    """G9: objects that the source lost are named with its words, and all others come."""
    wanted = stage.put(objects(250))
    gone = (wanted[3], wanted[120])
    for each in gone:
        stage.server.lfs.path(each.oid).unlink()
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert gone == tuple(each.pointer for each in fetched.missing)
    assert 248 == len(fetched.brought)
    assert "3.bin" in str(fetched.missing[0])
    assert "404: Object does not exist" in str(fetched.missing[0])
    assert {each.oid for each in wanted if each not in gone} == stage.named()


def test_gone_between_batch_and_download(stage: LfsStage) -> None:
    """What the server offers and then has not is missing alike."""
    wanted = stage.put(objects(3))
    bad = wanted[1].oid

    def spoil(request: Request, answer: Response) -> Response:
        return Response(410, (), b"gone") if request.target.endswith(bad) else answer

    stage.server.spoil = spoil
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert [(wanted[1], "HTTP 410: gone")] == [(each.pointer, each.why) for each in fetched.missing]
    assert (wanted[0], wanted[2]) == fetched.brought


@pytest.mark.parametrize("status", [413, 422])
def test_a_batch_refused_as_a_whole(stage: LfsStage, status: int) -> None:
    """Where one bad object spoils a batch it is found, and the others go on."""
    wanted = stage.put(objects(20))
    bad = wanted[7].oid.encode()

    def spoil(request: Request, answer: Response) -> Response:
        return Response(status, (), b'{"message": "no"}') if is_batch(request) and bad in request.body else answer

    stage.server.spoil = spoil
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert [(wanted[7], f"HTTP {status}: no")] == [(each.pointer, each.why) for each in fetched.missing]
    assert 19 == len(fetched.brought)


def test_two_sizes_of_one_object(stage: LfsStage) -> None:
    """Of two pointers that contradict each other the wrong one is named, and the right one comes, whichever is first."""
    right = stage.put(objects(1))[0]
    wrong = Pointer(right.oid, 99, "wrong")
    for wanted in ([wrong, right], [right, wrong]):
        stage.store.path(right.oid).unlink(missing_ok=True)
        fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
        assert ((right,), [wrong]) == (fetched.brought, [each.pointer for each in fetched.missing])
        assert stage.store.is_sound(right, stage.within())


def test_damaged_on_the_way(stage: LfsStage) -> None:
    """Other bytes of the right length are refused, never stored, and named by their digest."""
    wanted = stage.put(objects(3))
    bad = wanted[0].oid

    def spoil(request: Request, answer: Response) -> Response:
        return Response(200, (), b"x" * 100) if request.target.endswith(bad) else answer

    stage.server.spoil = spoil
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert wanted[1:] == fetched.brought
    assert f"other bytes came: their SHA-256 is {pointer_to(b'x' * 100).oid}" == fetched.missing[0].why
    assert {each.oid for each in wanted[1:]} == stage.named()
    assert [] == stage.incoming()


@pytest.mark.parametrize("length", [0, 99, 101, 5_000_000])
def test_of_another_length(stage: LfsStage, length: int) -> None:
    """So are too few bytes, and too many, of which no more are read than tells."""
    wanted = stage.put(objects(1))
    stage.server.spoil = lambda request, answer: answer if is_batch(request) else Response(200, (), b"x" * length)
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert "bytes" in fetched.missing[0].why
    assert (set(), []) == (stage.named(), stage.incoming())


def test_not_in_the_store(stage: LfsStage) -> None:
    """What neither side has is refused by name; what the remote has need not be here."""
    here, there, nowhere = objects(3).items()
    stage.keep(dict([here]))
    stage.put(dict([there]))
    sent = stage.remote.send([here[0], there[0], nowhere[0]], stage.store, within=stage.within())
    assert ((here[0],), (there[0],)) == (sent.uploaded, sent.stood)
    assert [nowhere[0]] == [each.pointer for each in sent.refused]
    assert "no sound copy" in sent.refused[0].why


def test_damaged_in_the_store(stage: LfsStage) -> None:
    """An object that this disk damaged is not sent, and comes anew with the next fetch."""
    wanted = stage.keep(objects(2))
    stage.store.path(wanted[0].oid).write_bytes(b"x" * 100)
    sent = stage.remote.send(wanted, stage.store, within=stage.within())
    assert ((wanted[1],), [wanted[0]]) == (sent.uploaded, [each.pointer for each in sent.refused])
    assert not any(request.method == "PUT" and wanted[0].oid in request.target for request in stage.server.asked)
    assert not stage.store.holds(wanted[0])


@pytest.mark.parametrize("where", ["PUT", "verify", "confirm"])
def test_nothing_is_believed(stage: LfsStage, where: str) -> None:
    """An object is refused that the remote does not take, does not verify, or has not when it is asked afterwards."""
    wanted = stage.keep(objects(3))
    bad = wanted[1].oid

    def spoil(request: Request, answer: Response) -> Response:
        if where == "PUT" and request.method == "PUT" and bad in request.target:
            return Response(422, (), b'{"message": "not this one"}')
        if where == "verify" and request.target.endswith("verify") and bad.encode() in request.body:
            return Response(404, (), b'{"message": "not this one"}')
        if where == "confirm" and request.method == "PUT" and bad in request.target:
            stage.server.lfs.path(bad).unlink()
        return answer

    stage.server.spoil = spoil
    sent = stage.remote.send(wanted, stage.store, within=stage.within())
    assert ([wanted[1]], (wanted[0], wanted[2])) == ([each.pointer for each in sent.refused], sent.uploaded)
    said = {
        "PUT": "HTTP 422: not this one",
        "verify": "HTTP 404: not this one",
        "confirm": "HTTP 404: Object does not exist",
    }
    assert said[where] == sent.refused[0].why


def test_lost_after_it_was_verified(stage: LfsStage) -> None:
    """A remote that takes and verifies an object, and has it not, is found out."""
    wanted = stage.keep(objects(2))

    def spoil(request: Request, answer: Response) -> Response:
        if request.target.endswith("verify") and wanted[0].oid.encode() in request.body:
            stage.server.lfs.path(wanted[0].oid).unlink()
        return answer

    stage.server.spoil = spoil
    sent = stage.remote.send(wanted, stage.store, within=stage.within())
    assert "the remote has it not, although it took it; seen: 404: Object does not exist" == sent.refused[0].why
    assert (wanted[1],) == sent.uploaded


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("at", ["objects/batch", "objects/"])
def test_denied(stage: LfsStage, status: int, at: str) -> None:
    """A token that is not taken, for the list or for the objects, ends it, in the server's words and without the token."""
    wanted = stage.put(objects(20))

    def spoil(request: Request, answer: Response) -> Response:
        said = json.dumps({"message": f"no, {LOGIN.password}"}).encode()
        return (
            Response(status, (), said) if at in request.target and (at == "objects/batch") == is_batch(request) else answer
        )

    stage.server.spoil = spoil
    with pytest.raises(Denied) as raised:
        stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert f"HTTP {status}: no, [redacted]" == raised.value.seen
    assert LOGIN.password not in str(raised.value)


def test_without_a_login(stage: LfsStage) -> None:
    """What is public comes without; what is not is denied."""
    wanted = stage.put(objects(2))
    with pytest.raises(Denied):
        LfsRemote(stage.server.url).fetch(wanted, stage.store, within=stage.within())
    assert wanted == LfsRemote(stage.elsewhere.url).fetch(wanted, stage.store, within=stage.within()).brought
    assert "glpat" not in repr(Login("x", "glpat-1"))


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Response(404, (), b'{"message": "Not Found"}'), NotFound, "switch Git LFS on"),
        (Response(301, (("Location", "https://moved.test/"),)), NotFound, "write its new URL"),
        (Response(200, (), b"<html>Welcome"), Unavailable, "no answer of the batch API"),
        (Response(200, (), b'{"objects": [{"size": 1}]}'), Unavailable, "objects.0.oid"),
        (Response(200, (), b'{"transfer": "tus", "objects": []}'), NotFound, "insists on its own way"),
        (Response(500, (), b"oops"), Unavailable, "HTTP 500: oops"),
    ],
)
def test_no_lfs_server(stage: LfsStage, answer: Response, kind: type[Exception], said: str) -> None:
    """What speaks no LFS is told from what may do so later."""
    stage.server.spoil = lambda *_: answer
    with pytest.raises(kind, match=said):
        stage.remote.fetch(list(objects(1)), stage.store, within=stage.within(clock=SimulatedClock()))


def test_a_server_that_leaves_one_out(stage: LfsStage) -> None:
    """An object of which the server says nothing is missing."""
    stage.server.spoil = lambda *_: Response(200, (), b'{"objects": []}')
    fetched = stage.remote.fetch(list(objects(1)), stage.store, within=stage.within())
    assert "the server says nothing of it" == fetched.missing[0].why
