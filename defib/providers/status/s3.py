"""A status page of two files in a bucket: ``status.json`` for machines, ``index.html`` for people.

It depends on nothing but S3, and is served by whatever stands in front of the bucket. Both files may be cached for a few
seconds only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from defib.alerts.alert import Notice
from defib.clock import Deadline
from defib.errors import NotFound
from defib.privilege.permission import Permission
from defib.providers.aws import AwsAccess
from defib.providers.aws_errors import asked, code_of
from defib.providers.status.document import Incident, StatusDocument, Update, as_page

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

T = TypeVar("T")

_CACHE = "public, max-age=15, must-revalidate"
_MOST_UPDATES = 50

_SOCKET_TIMEOUT = 5.0
"""Seconds for connecting and for each read of the one client that is kept; its deadline bounds the whole call."""


def permissions(bucket: str, prefix: str) -> tuple[Permission, ...]:
    """Both files of a page: the one for machines is read before it is written."""
    files = tuple(f"arn:aws:s3:::{bucket}/{prefix}{name}" for name in ("status.json", "index.html"))
    return (
        Permission(("s3:GetObject",), files[:1], acts=True),
        Permission(("s3:ListBucket",), (f"arn:aws:s3:::{bucket}",), acts=True, why="without it absence reads as 403"),
        Permission(("s3:PutObject",), files, acts=True),
    )


class S3StatusPage:
    """Fulfils :class:`defib.alerts.alert.StatusPage` for the site called `title`; `prefix` is "" or ends with a slash."""

    def __init__(self, name: str, title: str, bucket: str, prefix: str, access: AwsAccess) -> None:
        self._name, self._title, self._bucket, self._prefix = name, title, bucket, prefix

        self._access = access

    @property
    def name(self) -> str:
        return self._name

    def say(self, notice: Notice, *, within: Deadline) -> None:
        now = within.clock.now()
        before = self._open_incident(within)
        update = Update(at=now, stage=notice.stage.value, text=notice.text)
        updates = (*(before.updates if before else ()), update)[-_MOST_UPDATES:]
        began = before.began if before else now
        self._publish(notice.stage.value, Incident(title=notice.title, began=began, updates=updates), now, within)

    def resolve(self, text: str, *, within: Deadline) -> None:
        before = self._open_incident(within)
        if before is None:
            return
        now = within.clock.now()
        last = Update(at=now, stage="resolved", text=text)
        updates = (*before.updates, last)[-_MOST_UPDATES:]
        self._publish("operational", before.model_copy(update={"updates": updates, "ended": now}), now, within)

    @cached_property
    def _client(self) -> S3Client:
        access = self._access
        return access.session().client("s3", endpoint_url=access.endpoint or None, config=access.config(_SOCKET_TIMEOUT))

    def _open_incident(self, within: Deadline) -> Incident | None:
        """What the page shows as open now; a page that is not there, or not ours to read, shows nothing."""
        body = self._get(within)
        try:
            found = StatusDocument.model_validate_json(body).incident if body else None
        except ValidationError:
            return None  # somebody else's file under this name is replaced: it tells users nothing
        return found if found is not None and found.ended is None else None

    def _publish(self, state: str, incident: Incident, now: datetime, within: Deadline) -> None:
        document = StatusDocument(site=self._title, state=state, updated=now, incident=incident)
        self._put("status.json", document.model_dump_json(indent=1).encode(), "application/json", within)
        self._put("index.html", as_page(document).encode(), "text/html; charset=utf-8", within)

    def _get(self, within: Deadline) -> bytes:
        def read() -> bytes:
            got = self._client.get_object(Bucket=self._bucket, Key=f"{self._prefix}status.json")
            return got["Body"].read()

        try:
            return self._asked(read, within, "GetObject")
        except NotFound as error:
            if code_of(error.__cause__) == "NoSuchKey":
                return b""
            raise

    def _put(self, key: str, body: bytes, kind: str, within: Deadline) -> None:
        def write() -> None:
            self._client.put_object(
                Bucket=self._bucket,
                Key=f"{self._prefix}{key}",
                Body=body,
                ContentType=kind,
                CacheControl=_CACHE,
            )

        self._asked(write, within, "PutObject")

    def _asked(self, work: Callable[[], T], within: Deadline, what: str) -> T:
        return asked(work, within, what, f"bucket {self._bucket} of {self._name}")
