"""The static page against S3 in the lab: what is in the bucket is what users read."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from typing import Any

import pytest

from defib.alerts.alert import Notice, Stage
from defib.clock import SystemClock
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.furniture import STATUS_BUCKET, status_bucket
from defib.providers.aws import AwsAccess
from defib.providers.status.s3 import S3StatusPage
from tests.contracts.status_page import FIRST, PageWorld, Shown, StatusPageContract


@pytest.fixture
def aws() -> Iterator[RunningAws]:
    """AWS with an empty bucket for the page."""
    with serve_aws() as running:
        status_bucket()
        yield running


def access(aws: RunningAws, secret_key: str = "") -> AwsAccess:
    """The right keys, or the right id with another key."""
    return AwsAccess("us-east-1", aws.endpoint, aws.credentials.access_key, secret_key or aws.credentials.secret_key)


def stored(aws: RunningAws, key: str) -> dict[str, Any]:
    """One object as S3 gives it."""
    client = access(aws).session().client("s3", endpoint_url=aws.endpoint)
    got = client.get_object(Bucket=STATUS_BUCKET, Key=key)
    return {"body": got["Body"].read().decode(), "type": got["ContentType"], "cache": got["CacheControl"]}


def shown(aws: RunningAws) -> tuple[Shown, ...]:
    """What status.json says of an incident, after checking that index.html says the same."""
    client = access(aws).session().client("s3", endpoint_url=aws.endpoint)
    if not client.list_objects_v2(Bucket=STATUS_BUCKET).get("Contents"):
        return ()
    told = json.loads(stored(aws, "lab/status.json")["body"])
    page = html.unescape(stored(aws, "lab/index.html")["body"])
    incident = told["incident"]
    assert incident["title"] in page
    assert all(update["text"] in page for update in incident["updates"])
    texts = tuple(update["text"] for update in incident["updates"])
    return (Shown(incident["title"], incident["ended"] is None, texts),)


class TestS3StatusPage(StatusPageContract):
    @pytest.fixture
    def world(self, aws: RunningAws) -> PageWorld:
        """The page in the lab's bucket."""
        return PageWorld(
            S3StatusPage("static", "Pulse Trading", STATUS_BUCKET, "lab/", access(aws)),
            lambda: shown(aws),
            S3StatusPage("static", "Pulse Trading", STATUS_BUCKET, "lab/", access(aws, "wrong" * 8)),
            S3StatusPage("static", "Pulse Trading", "no-such-bucket", "lab/", access(aws)),
            keeps_history=False,
        )


def test_everything_is_escaped(aws: RunningAws) -> None:
    """No word of ours or of anybody else's becomes markup, and the page fetches nothing and runs nothing."""
    page = S3StatusPage("static", "<i>Pulse</i>", STATUS_BUCKET, "", access(aws))
    world = PageWorld(page, lambda: ())
    page.say(Notice(Stage.IDENTIFIED, "</h2><script>alert(1)</script>", "<img src=x onerror=alert(2)>"), within=world.soon())
    body = stored(aws, "index.html")["body"]
    assert "<script" not in body
    assert "<img" not in body
    assert "<i>" not in body
    assert "&lt;img src=x onerror=alert(2)&gt;" in body
    assert "default-src 'none'" in body


def test_nobody_keeps_it_for_long(aws: RunningAws) -> None:
    """Both files are what they are called, and no cache may hold them beyond a quarter of a minute."""
    page = S3StatusPage("static", "Pulse", STATUS_BUCKET, "", access(aws))
    page.say(FIRST, within=PageWorld(page, lambda: ()).soon())
    kinds = {key: (stored(aws, key)["type"], stored(aws, key)["cache"]) for key in ("status.json", "index.html")}
    assert kinds == {
        "status.json": ("application/json", "public, max-age=15, must-revalidate"),
        "index.html": ("text/html; charset=utf-8", "public, max-age=15, must-revalidate"),
    }


def test_a_file_of_somebody_else_is_replaced(aws: RunningAws) -> None:
    """What stood under the name and is no status of ours keeps nobody from saying what is."""
    client = access(aws).session().client("s3", endpoint_url=aws.endpoint)
    client.put_object(Bucket=STATUS_BUCKET, Key="lab/status.json", Body=b"not ours")
    page = S3StatusPage("static", "Pulse", STATUS_BUCKET, "lab/", access(aws))
    page.say(FIRST, within=PageWorld(page, lambda: (), clock=SystemClock()).soon())
    assert shown(aws) == (Shown(FIRST.title, open=True, texts=(FIRST.text,)),)
