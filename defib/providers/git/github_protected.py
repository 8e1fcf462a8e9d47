"""What GitHub forbids on branches, by protection rules and by rulesets; the stricter one holds where both speak.

The patterns of protection rules are told by GraphQL alone, so such a rule is seen on each branch that it is for:
https://docs.github.com/en/rest/branches/branch-protection. Rulesets are told with their patterns:
https://docs.github.com/en/rest/repos/rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter

from defib.errors import NotFound
from defib.mirror.settings import Protection
from defib.providers.git.api import PAGE, Asking

WRITERS = "everybody with write access"
BY_PULL_REQUEST = "pull requests only"
NOBODY = "nobody"

_UNPROTECTED = "Branch not protected"
"""GitHub's word for a branch without a protection rule; what the token may not see is ``Not Found``."""


class _Branch(BaseModel):
    name: str


class _Enabled(BaseModel):
    enabled: bool = False


class _Reviews(BaseModel):
    required_approving_review_count: int = 1


class _Named(BaseModel):
    login: str = ""
    slug: str = ""


class _Restrictions(BaseModel):
    users: list[_Named]
    teams: list[_Named]
    apps: list[_Named]

    @property
    def words(self) -> tuple[str, ...]:
        people = [f"user {each.login}" for each in self.users]
        people += [f"team {each.slug}" for each in self.teams] + [f"app {each.slug}" for each in self.apps]
        return tuple(sorted(people)) or (NOBODY,)


class _Rule(BaseModel):
    """A protection rule. What it leaves out is off: "By default, […] you cannot force push" and "cannot be deleted"."""

    allow_force_pushes: _Enabled = _Enabled()
    allow_deletions: _Enabled = _Enabled()
    lock_branch: _Enabled = _Enabled()
    required_pull_request_reviews: _Reviews | None = None
    restrictions: _Restrictions | None = None

    def protection(self, branch: str) -> Protection:
        asked = self.required_pull_request_reviews
        pushers = self.restrictions.words if self.restrictions else (WRITERS,)
        if asked is not None:
            pushers = (BY_PULL_REQUEST, *(pushers if self.restrictions else ()))
        return Protection(
            pattern=branch,
            force_push=self.allow_force_pushes.enabled,
            deletion=self.allow_deletions.enabled,
            reviews=asked is not None and asked.required_approving_review_count > 0,
            pushers=(NOBODY,) if self.lock_branch.enabled else pushers,
        )


class _Listed(BaseModel):
    id: int
    enforcement: str
    target: str = "branch"


class _RefName(BaseModel):
    include: list[str] = Field(default_factory=list)
    exclude: list[str] = Field(default_factory=list)


class _Conditions(BaseModel):
    ref_name: _RefName = _RefName()


class _Parameters(BaseModel):
    required_approving_review_count: int = 0


class _OneRule(BaseModel):
    type: str
    parameters: _Parameters = _Parameters()


class _Ruleset(BaseModel):
    conditions: _Conditions | None = None
    rules: list[_OneRule] = Field(default_factory=list)

    def protections(self, default_branch: str) -> Iterator[Protection]:
        kinds = {rule.type: rule.parameters for rule in self.rules}
        names = self.conditions.ref_name if self.conditions else _RefName(include=["~ALL"])
        pushers = (BY_PULL_REQUEST,) if "pull_request" in kinds else (WRITERS,)
        review = kinds.get("pull_request", _Parameters())
        for each in names.include:
            yield Protection(
                pattern=_pattern(each, default_branch),
                force_push="non_fast_forward" not in kinds,
                deletion="deletion" not in kinds,
                reviews=review.required_approving_review_count > 0,
                pushers=(NOBODY,) if "update" in kinds else pushers,
                except_for=tuple(sorted(_pattern(name, default_branch) for name in names.exclude)),
            )


_BRANCHES = TypeAdapter(list[_Branch])
_RULE = TypeAdapter(_Rule)
_RULESETS = TypeAdapter(list[_Listed])
_RULESET = TypeAdapter(_Ruleset)


def protections(asking: Asking, path: str, default_branch: str) -> tuple[Protection, ...]:
    """What holds for each branch and pattern of the repository at `path`, rulesets of its organization included."""
    rules = _of_branches(asking, path)
    return _together([*rules, *_of_rulesets(asking, path, default_branch)])


def _of_branches(asking: Asking, path: str) -> Iterator[Protection]:
    for page in asking.pages(_BRANCHES, f"{path}/branches?protected=true&per_page={PAGE}"):
        for branch in page:
            try:
                rule = asking.one(_RULE, f"{path}/branches/{quote(branch.name, safe='')}/protection")
            except NotFound as error:
                if _UNPROTECTED not in error.seen:
                    raise
                continue  # a ruleset protects it
            yield rule.protection(branch.name)


def _of_rulesets(asking: Asking, path: str, default_branch: str) -> Iterator[Protection]:
    for page in asking.pages(_RULESETS, f"{path}/rulesets?includes_parents=true&targets=branch&per_page={PAGE}"):
        for listed in page:
            if listed.enforcement == "active" and listed.target == "branch":
                whole = asking.one(_RULESET, f"{path}/rulesets/{listed.id}?includes_parents=true")
                yield from whole.protections(default_branch)


def _pattern(name: str, default_branch: str) -> str:
    # A star by itself takes in no slash at GitHub, so it keeps its whole name: "*" is every branch.
    known = {"~ALL": "*", "~DEFAULT_BRANCH": default_branch, "refs/heads/*": "refs/heads/*"}
    return known.get(name, name.removeprefix("refs/heads/"))


def _together(each_by_itself: Iterable[Protection]) -> tuple[Protection, ...]:
    """One protection for each pattern, as strict as all of them together."""
    found: dict[tuple[str, tuple[str, ...]], Protection] = {}
    for each in each_by_itself:
        known = found.setdefault((each.pattern, each.except_for), each)
        found[each.pattern, each.except_for] = replace(
            known,
            force_push=known.force_push and each.force_push,
            deletion=known.deletion and each.deletion,
            reviews=known.reviews or each.reviews,
            pushers=_narrowed(known.pushers, each.pushers),
        )
    return tuple(found[key] for key in sorted(found))


def _narrowed(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    if (NOBODY,) in {some, others}:
        return (NOBODY,)
    return tuple(sorted({*some, *others} - {WRITERS})) or (WRITERS,)
