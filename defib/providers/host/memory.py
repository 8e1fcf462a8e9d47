"""A hosting platform in memory, for whole procedures under a simulated clock; its failures and delays come on schedule."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from defib.clock import Deadline
from defib.errors import Conflict, NotFound
from defib.ports import Attachment, Deployment, Quota
from defib.providers.failures import Failures, meet, refuse_if_spent

T = TypeVar("T")


class MemoryHost:
    """Fulfils :class:`defib.ports.Host`, safely for threads.

    `live` is the id of what is published, "" for nothing. A deployment that is published is live once `publishes_after` has
    passed. Names in `foreign` belong to others. A name that is attached gets a certificate that ends at `certifies_until`,
    or none. `quota_told` may be set at any time. `published` and `attached` list the writes that were made, also those
    whose answer was lost.
    """

    def __init__(
        self,
        project: str,
        deployments: Sequence[Deployment],
        live: str,
        attachments: Sequence[Attachment] = (),
        *,
        foreign: Collection[str] = (),
        certifies_until: datetime | None = None,
        publishes_after: timedelta = timedelta(0),
    ) -> None:
        self.failures = Failures()
        self.quota_told = Quota(suspended=False)
        self._project = project
        self._deployments = {each.id: each for each in deployments}
        self._live = live
        self._coming: list[tuple[timedelta, str]] = []
        self._attachments = {each.name: each for each in attachments}
        self._foreign = {_full(name) for name in foreign}
        self._certifies_until = certifies_until
        self._publishes_after = publishes_after
        self._published: list[str] = []
        self._attached: list[str] = []
        self._lock = threading.Lock()

    @property
    def vendor(self) -> str:
        """The name of this adapter."""
        return "memory"

    @property
    def project(self) -> str:
        """The project's id."""
        return self._project

    @property
    def published(self) -> tuple[str, ...]:
        """The deployments that were published, in order."""
        with self._lock:
            return tuple(self._published)

    @property
    def attached(self) -> tuple[str, ...]:
        """The names that were attached, in order."""
        with self._lock:
            return tuple(self._attached)

    def put(self, attachment: Attachment) -> None:
        """Let the platform tell `attachment` of its name from now on."""
        with self._lock:
            self._attachments[attachment.name] = attachment

    def live(self, *, within: Deadline) -> Deployment | None:
        """What is published by now."""
        return self._call("live", within, lambda: self._deployments.get(self._now_live(within)))

    def attachment(self, name: str, *, within: Deadline) -> Attachment:
        """What is known of `name`."""
        return self._call("attachment", within, lambda: self._told(_full(name)))

    def attach(self, name: str, *, within: Deadline) -> Attachment:
        """Attach `name` where it is not."""
        full = _full(name)
        return self._call("attach", within, lambda: self._attach(full), writes=True)

    def publish(self, deployment: str, *, within: Deadline) -> Deployment:
        """Publish `deployment` where it is not live, or about to be."""
        moment = within.clock.monotonic() + self._publishes_after
        return self._call("publish", within, lambda: self._publish(deployment, moment, within), writes=True)

    def quota(self, *, within: Deadline) -> Quota:
        """What `quota_told` holds."""
        return self._call("quota", within, lambda: self.quota_told)

    def _call(self, method: str, within: Deadline, work: Callable[[], T], *, writes: bool = False) -> T:
        """The result of `work`, unless a failure is due; a write is then made all the same where the failure says so."""
        refuse_if_spent(within, self._where)
        with self._lock:
            failure = self.failures.take(method)
            if failure is None:
                return work()
            if failure.lands_after is not None and writes:
                work()
        return meet(failure, within)

    def _now_live(self, within: Deadline) -> str:
        now = within.clock.monotonic()
        for moment, deployment in self._coming:
            if moment <= now:
                self._live = deployment
        self._coming = [each for each in self._coming if each[0] > now]
        return self._live

    def _told(self, name: str) -> Attachment:
        absent = Attachment(name, attached=False, verified=False, certificate_until=None, problem="not attached")
        return self._attachments.get(name, absent)

    def _attach(self, name: str) -> Attachment:
        present = self._told(name)
        if present.attached:
            return present
        if name in self._foreign:
            raise Conflict(f"{name} belongs to another project", where=self._where, seen=name)
        problem = "" if self._certifies_until is not None else "no certificate"
        made = replace(present, attached=True, verified=True, certificate_until=self._certifies_until, problem=problem)
        self._attachments[name] = made
        self._attached.append(name)
        return made

    def _publish(self, deployment: str, moment: timedelta, within: Deadline) -> Deployment:
        if deployment not in self._deployments:
            raise NotFound(f"there is no deployment {deployment!r}", where=self._where)
        last = self._coming[-1][1] if self._coming else self._now_live(within)
        if deployment != last:
            self._coming.append((moment, deployment))
            self._published.append(deployment)
        return self._deployments[deployment]

    @property
    def _where(self) -> str:
        return f"memory, project {self._project}"


def _full(name: str) -> str:
    return name.lower().rstrip(".") + "."
