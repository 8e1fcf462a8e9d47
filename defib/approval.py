"""Who lets a plan be carried out. An approval is given to a digest, never to a description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from defib.clock import Deadline
from defib.errors import Refused
from defib.plan import Plan
from defib.question import Answer

ATTEMPTS = 3
"""How often somebody may mistype the digits of a digest."""


@dataclass(frozen=True)
class Approval:
    """By whom, and how: ``automatic``, ``option``, ``terminal``, or from elsewhere: ``command``, ``prefect``."""

    by: str
    how: str


class Approver(Protocol):
    """Decides over a plan."""

    def approve(self, plan: Plan, *, within: Deadline) -> Approval:
        """The approval of exactly this plan, or :class:`Refused`."""
        ...


@dataclass(frozen=True)
class Automatic:
    """Approves what the runbook lets detection do by itself, and what a drill or a rehearsal does on purpose."""

    reason: str

    def approve(self, plan: Plan, *, within: Deadline) -> Approval:  # noqa: ARG002 - the port's signature
        return Approval(self.reason, "automatic")


@dataclass(frozen=True)
class ByDigest:
    """Approves the plan whose digest somebody gave beforehand."""

    digest: str
    operator: str
    do: str
    """The command that somebody would give again, without an approval."""

    def approve(self, plan: Plan, *, within: Deadline) -> Approval:  # noqa: ARG002 - the port's signature
        if plan.matches(self.digest):
            return Approval(self.operator, "option")
        raise Refused(
            "the plan is not the one that was approved",
            expected=f"digest {self.digest}",
            seen=f"digest {plan.short_digest}",
            then=f"read the plan, then {self.do} --approve {plan.short_digest}",
        )


@dataclass(frozen=True)
class AskOnTerminal:
    """Shows the plan and asks for the first digits of its digest, up to :data:`ATTEMPTS` times; nothing typed refuses.

    `ask` shows and reads one line; it is told what was typed before, "" the first time.
    """

    operator: str
    do: str
    ask: Callable[[Plan, str, Deadline], str]

    def approve(self, plan: Plan, *, within: Deadline) -> Approval:
        typed = ""
        for _ in range(ATTEMPTS):
            typed = self.ask(plan, typed, within).strip()
            if len(typed) >= 4 and plan.digest().startswith(typed.lower()):  # noqa: PLR2004 - a person types them
                return Approval(self.operator, "terminal")
            if not typed:
                break
        raise Refused(
            "the plan was not approved",
            expected=f"the digest's first digits, {plan.short_digest[:4]}",
            seen=typed or "nothing",
            then=self.do,
        )


@dataclass(frozen=True)
class AskElsewhere:
    """Puts the plan where people elsewhere see it, and waits for what one of them says; no answer refuses.

    `ask` puts it and waits; it gives None where nobody answered in time.
    """

    do: str
    ask: Callable[[Plan, Deadline], Answer | None]

    def approve(self, plan: Plan, *, within: Deadline) -> Approval:
        answer = self.ask(plan, within)
        if answer is not None and answer.approved and answer.digest == plan.digest():
            return Approval(answer.by, answer.how)
        raise Refused(
            "nobody approved the plan in time" if answer is None else "the plan was not approved",
            expected=f"an approval of digest {plan.short_digest}",
            seen="no answer" if answer is None else f"{answer}, digest {answer.digest[:12]}",
            then=self.do,
        )


@dataclass(frozen=True)
class Nobody:
    """Refuses every plan: nobody is there to ask."""

    do: str

    def approve(self, plan: Plan, *, within: Deadline) -> Approval:  # noqa: ARG002 - the port's signature
        raise Refused(
            "the plan needs an approval, and nobody is at the terminal",
            expected=f"--approve {plan.short_digest}",
            then=f"{self.do} --approve {plan.short_digest}",
        )
