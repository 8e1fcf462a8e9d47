"""The refs of one place as what a plan changes: moved and deleted only where they still lead where the plan says."""

from __future__ import annotations

from collections.abc import Sequence

from defib.clock import Deadline
from defib.errors import Conflict, Denied, NotFound, ProviderError, Unavailable
from defib.mirror.port import VENDOR, leading_to
from defib.mirror.weigh import archived
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.providers.git.remote import GitRemote, Pushed, Troubled
from defib.redeploy.offer import Trouble

_KINDS: dict[Trouble, type[ProviderError]] = {Trouble.DENIED: Denied, Trouble.NO_REPOSITORY: NotFound}
_NO_ATOMIC = "does not support --atomic"


class GitRefs:
    """Fulfils :class:`defib.ports.DnsZone` for the refs of one place.

    What a plan holds are the refs that move. Old tips are archived in a push of their own, and only after the place has them
    are refs moved or deleted, all at once where the place can do that. Compare-and-set is git's ``--force-with-lease``.
    """

    def __init__(self, remote: GitRemote, repository: str) -> None:
        self._remote = remote
        self._repository = repository

    @property
    def vendor(self) -> str:
        """``git``."""
        return VENDOR

    @property
    def zone(self) -> str:
        """``<repository>@<place>``."""
        return f"{self._repository}@{self._remote.name}"

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """What each ref leads to. Nothing asked costs nothing."""
        if not keys:
            return ()
        try:
            refs = self._remote.refs(within=within)
        except Troubled as trouble:
            raise self._failed(trouble) from trouble
        return tuple(leading_to(key.name, refs[key.name]) if key.name in refs else None for key in keys)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Move and delete, once every tip that no ref leads to afterwards stands under a dated ref, which nothing removes.

        An archive that is there already costs nothing, so that what was begun can be gone on with, and taken back.
        """
        day = within.clock.now().date()
        old = [(change.key.name, _commit(change.before)) for change in changes if change.before is not None]
        self._push([f"{commit}:{archived(ref, commit, day)}" for ref, commit in old], {}, within)
        leases = {change.key.name: _commit(change.before) for change in changes}
        self._push([f"{_commit(change.after)}:{change.key.name}" for change in changes], leases, within)
        return Receipt("")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:  # noqa: ARG002 - a push is over when it is answered
        """True: what was answered, stands."""
        return True

    def _push(self, refspecs: Sequence[str], leases: dict[str, str], within: Deadline) -> None:
        if not refspecs:
            return
        try:
            try:
                pushed = self._remote.push(refspecs, leases=leases, atomic=bool(leases), within=within)
            except Troubled as trouble:
                if _NO_ATOMIC not in trouble.problem:
                    raise
                pushed = self._remote.push(refspecs, leases=leases, within=within)
        except Troubled as trouble:
            raise self._failed(trouble) from trouble
        self._must_be_taken(pushed)

    def _must_be_taken(self, pushed: Sequence[Pushed]) -> None:
        refused = [each for each in pushed if each.why]
        if not refused:
            return
        own = [each for each in refused if "atomic" not in each.why] or refused
        kind = Conflict if all(each.ours for each in own) else Denied
        told = "; ".join(f"{each.ref}: {each.why}" for each in own[:5])
        raise kind("not every ref was taken", where=self.zone, seen=told, then="see to these refs there, and run it again")

    def _failed(self, trouble: Troubled) -> ProviderError:
        kind = _KINDS.get(trouble.trouble, Unavailable)
        return kind(f"{self.zone} could not be reached with git", where=self._remote.url, seen=trouble.problem)


def _commit(record: RecordSet | None) -> str:
    return record.values[0] if record else ""
