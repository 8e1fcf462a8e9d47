"""What `git` says when a remote gives nothing, read as one of the kinds of trouble that people act on differently."""

from __future__ import annotations

import re

from defib.redeploy.offer import Trouble

_DENIED = (
    r"terminal prompts disabled|Authentication failed|could not read (?:Username|Password)"
    r"|returned error: 40[13]|Permission denied \(|Host key verification failed"
)
_DAMAGED = r"shallow|fsck error|index-pack failed|bad object|missing necessary objects|lacks these prerequisite|corrupt"
_NO_REPOSITORY = (
    r"returned error: (?:404|410|30\d)|repository '[^']*' not found|not appear to be a git repository"
    r"|not valid: is this a git repository"
)
_BROKEN_OFF = r"unexpected disconnect|early EOF|RPC failed|hung up unexpectedly|Operation too slow"
_SIGNS = (
    (Trouble.UNREACHABLE, _BROKEN_OFF),
    (Trouble.DENIED, _DENIED),
    (Trouble.DAMAGED, _DAMAGED),
    (Trouble.NO_REPOSITORY, _NO_REPOSITORY),
)

_TOLD = {
    Trouble.DENIED: "the token is missing, expired, or not allowed to read it",
    Trouble.NO_REPOSITORY: "nothing is there under this URL, or the token may not see it",
}

_LINE = re.compile(r"^(?:(?:fatal|error|remote): |Host key verification failed|\S+: Permission denied \().*", re.MULTILINE)
_NOT_GITS_OWN = re.compile(r"^remote: .*$|'[^'\n]*'|https?://\S+", re.MULTILINE)
"""What the other side says, and URLs: neither may pass for words of git."""

_REDIRECT = re.compile(r"returned error: 30\d")


def read_trouble(output: str) -> tuple[Trouble, str]:
    """The kind of trouble, and what to tell people; `output` must be redacted already."""
    own = _NOT_GITS_OWN.sub("''", output)
    kind = next((kind for kind, sign in _SIGNS if re.search(sign, own, re.IGNORECASE)), Trouble.UNREACHABLE)
    lines = [line.strip() for line in _LINE.findall(output)]
    said = ("; ".join(dict.fromkeys(lines)) or output.strip()[-_LONGEST:] or "git said nothing")[:_LONGEST]
    hint = "it has moved: write its new URL into the site file" if _REDIRECT.search(own) else _TOLD.get(kind, "")
    return kind, f"{kind}: {hint} ({said})" if hint else f"{kind}: {said}"


_LONGEST = 500
"""Characters of git's own words that people are shown."""
