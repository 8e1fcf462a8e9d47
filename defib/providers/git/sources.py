"""Every place that may hold a site's sources, asked at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from defib.clock import Deadline
from defib.errors import InputError
from defib.providers.git.remote import GitRemote, Troubled
from defib.providers.git.store import GitStore, is_commit
from defib.providers.git.unbundle import take_branch
from defib.redeploy.offer import BUNDLE, Deployed, Offer, Offers, Tip, Trouble
from defib.sites.git import Remote

ANSWER_WITHIN = timedelta(seconds=20)
"""A remote that has not said by then what it holds is taken for dead."""

FETCH_WITHIN = timedelta(minutes=5)
"""A first fetch brings the whole history; later ones what is new."""

_FOR_ASKING = 0.8
"""The part of the time in which remotes may answer; the rest is for the bundle, and to read what came."""

_LOST_RACE = "cannot lock ref"
"""What git says where another process has just brought the same branch."""

_BUNDLE_REF = "refs/defib/bundle"


class GitSources:
    """The remotes of one site, and the bundle for the day when they are gone.

    `repository` is where the local copy is kept (``$DEFIB_HOME/git/SITE.git``). `secrets` turns a reference into its value;
    it is asked anew each time, so that a token that cannot be had takes away one remote and not all.
    """

    def __init__(
        self,
        repository: Path,
        remotes: Sequence[Remote],
        branch: str,
        secrets: Callable[[str], str],
        *,
        bundle: Path | None = None,
        answer_within: timedelta = ANSWER_WITHIN,
        fetch_within: timedelta = FETCH_WITHIN,
    ) -> None:
        self._store = GitStore(repository)
        self._remotes = tuple(remotes)
        self._branch = branch
        self._secrets = secrets
        self._bundle = bundle
        self._answer_within = answer_within
        self._fetch_within = fetch_within

    def ask(self, deployed: Sequence[str], *, within: Deadline, users_had: datetime | None = None) -> Offers:
        """Ask all remotes in parallel, then the bundle, and bring what they hold into the local copy.

        `deployed` are the commits that were deployed, the last one first; none where that is not known. Ids of builds that
        can be no commit are left out: they say nothing of the line. `users_had` is the date of the last one, for when
        nobody holds it any more. Nobody's failure is raised: it stands in the offer.
        :class:`StepFailed` where there is no `git`, :class:`InputError` for names that Git does not allow. Idempotent.
        """
        with self._store.open(within):
            for remote in self._remotes:
                self._check_name(_ref(remote, self._branch), within)
            asking = within.sooner(within.remaining() * _FOR_ASKING)
            with ThreadPoolExecutor(max_workers=len(self._remotes)) as pool:
                troubles = list(pool.map(lambda remote: self._try(remote, asking), self._remotes))
            # Afterwards, because git unpacks a bundle only where its commit is not held yet.
            bundle = self._try_bundle(within.sooner(within.remaining() * _FOR_ASKING))
            return self._read(troubles, bundle, deployed, users_had, within)

    def descends(self, commit: str, ancestor: str, *, within: Deadline) -> bool:
        """Whether `commit` is `ancestor` or descends from it, by the local copy; see :meth:`GitStore.descends`."""
        return self._store.descends(commit, ancestor, within)

    def committed(self, commit: str, *, within: Deadline) -> datetime | None:
        """The committer date of `commit`, by the local copy."""
        return self._store.committed(commit, within)

    def export(self, commit: str, folder: Path, *, within: Deadline) -> None:
        """A clean work tree of exactly `commit`; see :meth:`GitStore.export`."""
        self._store.export(commit, folder, within)

    def _check_name(self, ref: str, within: Deadline) -> None:
        if self._store.git.run("check-ref-format", ref, within=within).status:
            raise InputError("git allows no such name of a remote or branch", where=ref, then="correct the site file")

    def _try(self, remote: Remote, within: Deadline) -> Troubled | None:
        """Fetch the branch of `remote`; None where that went well."""
        soon = within.sooner(self._answer_within + self._fetch_within)
        try:
            try:
                self._fetch(remote, soon)
            except Troubled as trouble:
                if _LOST_RACE not in trouble.problem:
                    raise
                self._fetch(remote, soon)
        except Troubled as trouble:
            return trouble
        return None

    def _fetch(self, remote: Remote, within: Deadline) -> None:
        asked = GitRemote.of(self._store.git, remote, self._secrets)
        branch, ref = f"refs/heads/{self._branch}", _ref(remote, self._branch)
        soon = within.sooner(self._answer_within)
        commit = asked.refs(branch, within=soon).get(branch, "")
        if not commit:
            raise self._nothing(asked.refs(within=soon))
        before = self._store.tip(ref, soon)
        if commit != before:
            said = asked.fetch([f"+{branch}:{ref}"], within=within)
            if self._store.tip(ref, within) in {"", before}:
                # A shallow repository is no failure to git: it warns, leaves out the branch, and ends with 0.
                raise Troubled(Trouble.DAMAGED, f"{Trouble.DAMAGED}: git does not take {commit}: {said.strip()}")

    def _nothing(self, others: Mapping[str, str]) -> Troubled:
        if others:
            return Troubled(Trouble.NO_BRANCH, f"{Trouble.NO_BRANCH}: it has no {self._branch}")
        return Troubled(Trouble.EMPTY, f"{Trouble.EMPTY}: it has no branch and no commit")

    def _try_bundle(self, within: Deadline) -> Troubled | str:
        """Verify the bundle and take its branch, of what was added to it where that is newer; what is doubtful, or ""."""
        if self._bundle is None:
            return ""
        if not self._bundle.is_file():
            return Troubled(Trouble.NO_REPOSITORY, f"there is no bundle at {self._bundle}")
        try:
            return take_branch(self._store.git, self._bundle.resolve(), f"refs/heads/{self._branch}", _BUNDLE_REF, within)
        except Troubled as error:
            kind = Trouble.NO_BRANCH if error.trouble is Trouble.NO_BRANCH else Trouble.DAMAGED
            return Troubled(kind, error.problem if error.problem.startswith(kind) else f"{kind}: {error.problem}")

    def _read(
        self,
        troubles: Sequence[Troubled | None],
        bundle: Troubled | str,
        deployed: Sequence[str],
        users_had: datetime | None,
        within: Deadline,
    ) -> Offers:
        """Place all tips to one another, by the local copy alone."""
        refs = [_ref(remote, self._branch) for remote in self._remotes]
        commits = [self._store.tip(ref, within) for ref in (*refs, _BUNDLE_REF)]
        known = [self._store.full(commit, within) or commit for commit in deployed if is_commit(commit)]
        tips = self._store.place({commit for commit in (*commits, *known) if commit}, within)
        offers = [
            _offer(remote.name, tips.get(commit), trouble or "")
            for remote, commit, trouble in zip(self._remotes, commits, troubles, strict=False)
        ]
        kept = _offer(BUNDLE, tips.get(commits[-1]), bundle) if self._bundle else None
        return Offers(tuple(offers), kept, _deployed(known, tips, users_had))


def _deployed(commits: Sequence[str], tips: Mapping[str, Tip], users_had: datetime | None) -> Deployed | None:
    if not commits:
        return None
    last, earlier = commits[0], frozenset(commits[1:])
    if last in tips:
        return Deployed(tips[last], earlier=earlier)
    return Deployed(Tip(last, users_had), held=False, earlier=earlier)


def _ref(remote: Remote, branch: str) -> str:
    return f"refs/remotes/{remote.name}/{branch}"


def _offer(name: str, tip: Tip | None, wrong: Troubled | str) -> Offer:
    if isinstance(wrong, str):
        return Offer(name, tip, problem=wrong)
    return Offer(name, tip, wrong.trouble, wrong.problem)
