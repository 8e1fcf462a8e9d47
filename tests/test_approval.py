"""Approvals are given to digests, never to descriptions."""

from __future__ import annotations

import pytest

from defib.approval import Approval, Approver, AskOnTerminal, Automatic, ByDigest, Nobody
from defib.clock import Deadline, SimulatedClock
from defib.errors import Refused
from defib.plan import Plan
from tests.stage import seconds
from tests.test_plan import PLAN


def approve(approver: Approver, plan: Plan = PLAN) -> Approval:
    """Its decision."""
    return approver.approve(plan, within=Deadline.after(SimulatedClock(), seconds(1)))


def test_automatic_says_why() -> None:
    """What approves itself names its reason."""
    assert approve(Automatic("drill 7")) == Approval("drill 7", "automatic")


def test_digest_given_beforehand() -> None:
    """The plan with that digest, and no other, is approved."""
    assert approve(ByDigest(PLAN.short_digest, "ann", "defib run")) == Approval("ann", "option")
    with pytest.raises(Refused, match="not the one that was approved") as caught:
        approve(ByDigest(PLAN.short_digest, "ann", "defib run"), Plan("cdn-failover", "other", PLAN.changes))
    assert caught.value.then.startswith("read the plan, then defib run --approve ")


@pytest.mark.parametrize("cut", [0, 3, 4, 64])
def test_typed_on_the_terminal(cut: int) -> None:
    """Four digits or more of the digest that was shown; anything else refuses."""
    typed = f" {PLAN.digest()[:cut].upper()}\n"
    asked: list[tuple[Plan, str]] = []

    def ask(plan: Plan, wrong: str, within: Deadline) -> str:
        asked.append((plan, wrong))
        return typed

    if cut >= 4:
        assert approve(AskOnTerminal("ann", "defib run", ask)) == Approval("ann", "terminal")
    else:
        with pytest.raises(Refused, match="was not approved"):
            approve(AskOnTerminal("ann", "defib run", ask))
    mistyped = typed.strip()
    assert asked == [(PLAN, "")] if cut != 3 else [(PLAN, ""), (PLAN, mistyped), (PLAN, mistyped)]


@pytest.mark.parametrize("typed", ["yes", "y", "ffff" + "0" * 60, ""])
def test_anything_else_refuses(typed: str) -> None:
    """A yes is no digest."""
    with pytest.raises(Refused):
        approve(AskOnTerminal("ann", "defib run", lambda *_: typed))


def test_a_slip_may_be_mended() -> None:
    """Somebody half awake may mistype twice; the third answer still counts."""
    typed = iter(["4cdz", "cd4c", PLAN.short_digest[:4]])
    assert approve(AskOnTerminal("ann", "defib run", lambda *_: next(typed))) == Approval("ann", "terminal")


def test_nobody_there() -> None:
    """The refusal tells what to type."""
    with pytest.raises(Refused) as caught:
        approve(Nobody("defib run"))
    assert PLAN.short_digest in caught.value.then
