"""CloudFront invalidations that take time and have a limit."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.etree.ElementTree import Element

from defib.clock import Clock
from defib.lab.strict import xml
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-invalidations
_MAX_PATHS = 3_000
_MAX_WILDCARDS = 15


@dataclass(frozen=True)
class Invalidation:
    """Paths that are to be forgotten; `due` is when every edge has forgotten them."""

    id: str
    distribution: str
    reference: str
    paths: tuple[str, ...]
    created: datetime
    due: timedelta
    lie: bool = False
    """Said to be done, and never done."""


class Invalidations:
    """All invalidations ever asked for, in order."""

    def __init__(self, clock: Clock, takes: timedelta) -> None:
        self._clock = clock
        self._takes = takes
        self._all: list[Invalidation] = []

    def completed(self, distribution: str) -> tuple[Invalidation, ...]:
        """Those that have really reached the edges, oldest first."""
        mine = [each for each in self._all if each.distribution == distribution and not each.lie]
        return tuple(each for each in mine if self._done(each))

    def answer(self, request: Request, distribution: str, rest: str, *, lying: bool = False) -> Response:
        """Create, get or list, as `rest` of the path says."""
        _, _, invalidation_id = rest.strip("/").partition("/")
        if request.method == "POST" and not invalidation_id:
            return self._create(xml.parse(request.body), distribution, lying=lying)
        if request.method != "GET":
            raise AwsError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        mine = [each for each in self._all if each.distribution == distribution]
        if not invalidation_id:
            return self._list(mine)
        found = [each for each in mine if each.id == invalidation_id]
        if not found:
            raise AwsError(404, "NoSuchInvalidation", "The specified invalidation does not exist.")
        return xml.answer("Invalidation", xml.CLOUDFRONT, self._told(found[0]))

    def _create(self, root: Element, distribution: str, *, lying: bool) -> Response:
        reference, paths = _asked(root)
        for earlier in self._all:
            if (earlier.distribution, earlier.reference) != (distribution, reference):
                continue
            if earlier.paths == paths:
                return self._created(earlier)
            message = "The caller reference that you are using was used for a different batch of paths."
            raise AwsError(400, "InvalidationBatchAlreadyExists", message)
        self._check(paths, [each for each in self._all if each.distribution == distribution])
        made = Invalidation(
            id="I" + secrets.token_hex(7).upper()[:13],
            distribution=distribution,
            reference=reference,
            paths=paths,
            created=self._clock.now(),
            due=self._clock.monotonic() + (timedelta(0) if lying else self._takes),
            lie=lying,
        )
        self._all.append(made)
        return self._created(made)

    def _check(self, paths: Sequence[str], earlier: Sequence[Invalidation]) -> None:
        if any(not path.startswith("/") or "*" in path[:-1] for path in paths) or not paths:
            message = "Your request contains one or more invalid invalidation paths."
            raise AwsError(400, "InvalidArgument", message)
        running = [path for each in earlier if not self._done(each) for path in each.paths]
        wildcards = [path for path in (*running, *paths) if path.endswith("*")]
        if len(wildcards) > _MAX_WILDCARDS or len(running) + len(paths) > _MAX_PATHS:
            message = "You have exceeded the maximum number of allowable InProgress invalidation batch requests."
            raise AwsError(400, "TooManyInvalidationsInProgress", message)

    def _created(self, made: Invalidation) -> Response:
        where = f"https://cloudfront.amazonaws.com/2020-05-31/distribution/{made.distribution}/invalidation/{made.id}"
        parts = self._told(made)
        return xml.answer("Invalidation", xml.CLOUDFRONT, parts, status=201, headers=(("Location", where),))

    def _list(self, mine: Sequence[Invalidation]) -> Response:
        shown = "".join(xml.element("InvalidationSummary", self._summary(each)) for each in reversed(mine))
        parts = (
            xml.leaf("Marker", ""),
            xml.leaf("MaxItems", "100"),
            xml.leaf("IsTruncated", "false"),
            xml.leaf("Quantity", str(len(mine))),
            xml.element("Items", shown) if mine else "",
        )
        return xml.answer("InvalidationList", xml.CLOUDFRONT, *parts)

    def _told(self, each: Invalidation) -> str:
        paths = xml.leaf("Quantity", str(len(each.paths))) + xml.element(
            "Items", *(xml.leaf("Path", path) for path in each.paths)
        )
        batch = xml.element("Paths", paths) + xml.leaf("CallerReference", each.reference)
        return self._summary(each) + xml.element("InvalidationBatch", batch)

    def _summary(self, each: Invalidation) -> str:
        status = "Completed" if self._done(each) else "InProgress"
        created = each.created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return xml.leaf("Id", each.id) + xml.leaf("CreateTime", created) + xml.leaf("Status", status)

    def _done(self, each: Invalidation) -> bool:
        return self._clock.monotonic() >= each.due


def _asked(root: Element) -> tuple[str, tuple[str, ...]]:
    reference = xml.text(root, "CallerReference")
    if not reference:
        raise AwsError(400, "InvalidArgument", "CallerReference is missing.")
    return reference, tuple((each.text or "").strip() for each in root.findall("Paths/Items/Path"))
