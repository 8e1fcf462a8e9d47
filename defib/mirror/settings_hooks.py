"""Webhooks, compared between vendors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from defib.mirror.settings import EVERYTHING, Webhook
from defib.mirror.settings_difference import Difference, Kind

PART = "webhooks"


def webhook_differences(source: Sequence[Webhook], mirror: Sequence[Webhook]) -> Iterator[Difference]:
    """Whom the mirror does not tell, or tells otherwise. Webhooks at one URL are taken together."""
    there = _by_url(mirror)
    for url, wanted in _by_url(source).items():
        found = there.get(url)
        if found is None:
            yield from _missing(wanted)
        else:
            yield from _compared(wanted, found)


def _by_url(webhooks: Sequence[Webhook]) -> dict[str, Webhook]:
    """One webhook for each URL: active where one is, for all their events, and verifying where all of them do."""
    together: dict[str, Webhook] = {}
    for each in webhooks:
        first = together.get(each.url, each)
        events = tuple(sorted({*first.events, *each.events}))
        verifies = first.verifies_tls and each.verifies_tls
        together[each.url] = Webhook(each.url, events, first.active or each.active, verifies)
    return together


def _missing(wanted: Webhook) -> Iterator[Difference]:
    if wanted.active:
        words = f"the mirror has no such webhook: add it there for {', '.join(wanted.events)}, with its secret"
        yield Difference(Kind.MISSING, PART, wanted.url, words)


def _compared(wanted: Webhook, found: Webhook) -> Iterator[Difference]:
    if wanted.active != found.active:
        states = f"it is {_state(found)} at the mirror and {_state(wanted)} at the source"
        yield Difference(Kind.OTHERWISE, PART, wanted.url, f"{states}: look whether that is meant")
    if wanted.verifies_tls and not found.verifies_tls:
        words = "the mirror does not verify its certificate and the source does: let the mirror verify it"
        yield Difference(Kind.OTHERWISE, PART, wanted.url, words)
    yield from _events(wanted, found)


def _events(wanted: Webhook, found: Webhook) -> Iterator[Difference]:
    if EVERYTHING in found.events:
        return
    lacking = [event for event in wanted.events if event not in found.events]
    own = [event for event in lacking if ":" in event or event == EVERYTHING]
    common = [event for event in lacking if event not in own]
    if common:
        words = f"the mirror does not call it for {', '.join(common)}: add that there"
        yield Difference(Kind.OTHERWISE, PART, wanted.url, words)
    if own:
        words = f"{', '.join(own)} of the source has no counterpart that could be compared: look what the mirror should tell"
        yield Difference(Kind.INCOMPARABLE, PART, wanted.url, words)


def _state(webhook: Webhook) -> str:
    return "active" if webhook.active else "switched off"
