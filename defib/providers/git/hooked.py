"""The events of webhooks, from each vendor's words into the common ones of :class:`defib.mirror.settings.Webhook`."""

from __future__ import annotations

from collections.abc import Iterable

from defib.mirror.settings import EVERYTHING

_GITHUB: dict[str, tuple[str, ...]] = {
    "*": (EVERYTHING,),
    "push": ("push", "tag"),  # GitHub tells of tags by the same event
    "pull_request": ("pull request",),
    "issues": ("issue",),
    "issue_comment": ("comment",),
    "commit_comment": ("comment",),
    "pull_request_review_comment": ("comment",),
    "release": ("release",),
    "deployment": ("deployment",),
    "deployment_status": ("deployment",),
    "workflow_run": ("pipeline",),
    "workflow_job": ("job",),
    "gollum": ("wiki page",),
}
"""https://docs.github.com/en/webhooks/webhook-events-and-payloads"""

_GITLAB: dict[str, tuple[str, ...]] = {
    "push": ("push",),
    "tag_push": ("tag",),
    "merge_requests": ("pull request",),
    "issues": ("issue",),
    "note": ("comment",),
    "releases": ("release",),
    "deployment": ("deployment",),
    "pipeline": ("pipeline",),
    "job": ("job",),
    "wiki_page": ("wiki page",),
}
"""https://docs.gitlab.com/user/project/integrations/webhook_events/"""

_WORDS = {"github": _GITHUB, "gitlab": _GITLAB}


def common_events(vendor: str, events: Iterable[str]) -> tuple[str, ...]:
    """Events in common words, sorted; what has no counterpart comes as ``vendor:event``."""
    known = _WORDS[vendor]
    return tuple(sorted({word for event in events for word in known.get(event, (f"{vendor}:{event}",))}))
