"""What arrives in the lab's inbox, light enough for a command line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One message that arrived; `via` is chat, webhook, sms or mail, `at` ISO 8601."""

    n: int
    at: str
    via: str
    title: str
    text: str
    to: str = ""
    severity: str = ""
