"""``export iam``: the least that a site's credentials must be allowed, procedure by procedure, vendor by vendor."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from defib.cli.desk import desk
from defib.cli.say import Json, aside, say, say_json
from defib.clock import SystemClock
from defib.errors import InputError
from defib.privilege.keys import through_s3
from defib.privilege.policy import MOST_CHARACTERS, Policy, characters, policy
from defib.privilege.scope import Scope
from defib.providers.permissions import ACTIVITIES, Needed, needed
from defib.providers.scopes import scopes
from defib.redact import Redactor
from defib.sites.site import Site, load_site

ALL = "all"
"""What stands for every procedure together."""

READ, ACT = "read", "act"
_FOR = {
    READ: "for plans and `defib ready`, which change nothing",
    ACT: "what carrying it out needs besides; attach both",
}
_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True)
class Exported:
    """One policy: of which procedure, for which credentials, for reading or for acting."""

    procedure: str
    credentials: str
    kind: str
    document: Policy
    whys: tuple[str, ...]

    @property
    def file(self) -> str:
        """The name of a file with it."""
        whose = re.sub(r"[^A-Za-z0-9]+", "-", self.credentials).strip("-").lower()
        return "-".join(filter(None, (self.procedure, whose, self.kind))) + ".json"

    @property
    def text(self) -> str:
        """As IAM takes it."""
        return json.dumps(self.document, indent=2)


@dataclass(frozen=True)
class At:
    """What a site file does not say of AWS: the account, and the keys of KMS that its buckets are encrypted with."""

    account: str = ""
    keys: tuple[str, ...] = ()


def iam(redact: Redactor, site_name: str, procedure: str, at: At, to: str, *, as_json: bool) -> int:
    """Print policies and scopes, or write a file for each policy. Asks nobody."""
    if at.account and not _ACCOUNT.fullmatch(at.account):
        raise InputError("no id of an AWS account", expected="twelve digits, such as 123456789012", seen=at.account)
    site = load_site(desk(SystemClock(), redact).site_path(site_name))
    chosen = (procedure,) if procedure else (*ACTIVITIES, ALL)
    known = at.account or _account_of(site)
    found = tuple(each for name in chosen for each in policies(site, name, At(known or "*", at.keys)))
    notes = tuple(_notes(At(known, at.keys), found))
    if as_json:
        say_json(_plain(site, known, found, notes))
    elif to:
        _write(Path(to), found)
        aside(f"written to {to}; next: aws iam create-policy --policy-name NAME --policy-document file://{to}/FILE")
    else:
        say("\n\n".join([*map(_told, found), _told_scopes(scopes(site)), *notes]))
    return 0


def _account_of(site: Site) -> str:
    """The account that the site file names with its replicas; "" where it names none, or several."""
    named = {pair.account for pair in site.replication if pair.account}
    return named.pop() if len(named) == 1 else ""


def policies(site: Site, procedure: str, at: At) -> Iterator[Exported]:
    """The policies of one procedure, or of :data:`ALL` together: for each set of credentials to read, and to act."""
    wanted = _needed(site, procedure)
    for credentials in dict.fromkeys(each.credentials for each in wanted):
        own = [each.permission for each in wanted if each.credentials == credentials]
        own += through_s3(own, at.keys)
        for kind in (READ, ACT):
            mine = [each for each in own if each.acts == (kind == ACT)]
            if mine:
                whys = dict.fromkeys(f"{', '.join(each.actions)}: {each.why}" for each in mine if each.why)
                yield Exported(procedure, credentials, kind, policy(mine, at.account), tuple(whys))


def _needed(site: Site, procedure: str) -> Sequence[Needed]:
    if procedure != ALL:
        return needed(site, procedure)
    return tuple(dict.fromkeys(each for name in ACTIVITIES for each in needed(site, name)))


def _notes(at: At, found: Iterable[Exported]) -> Iterator[str]:
    if not at.account:
        yield "The site file does not name the AWS account: `*` stands for it. With --account NUMBER it is that one alone."
    large = [each.file for each in found if characters(each.document) > MOST_CHARACTERS]
    if large:
        yield (
            f"Above the {MOST_CHARACTERS:,} characters of a managed policy: {', '.join(large)}. Attach those of the "
            "procedures that you use, or make it an inline policy of a role, which may have 10,240."
        )
    if not at.keys:
        yield (
            "Where a bucket is encrypted with a KMS key of your own, KMS must allow it as well: with --kms-key ARN that is "
            "told too. A site file does not name such keys."
        )
    yield "A drill of your own site (`defib drill PROCEDURE --live`) also needs what its procedure and failback need."


def _told(one: Exported) -> str:
    whose = one.credentials or "AWS's default chain of credentials"
    besides = [f"# {why}" for why in one.whys]
    return "\n".join([f"# {one.procedure}, {one.kind}, {whose}: {_FOR[one.kind]}", *besides, one.text])


def _told_scopes(found: Sequence[Scope]) -> str:
    lines: list[str] = []
    for each in found:
        lines += [f"# {each.reference}, {each.vendor}: {each.about}"]
        lines += [f"  to read: {', '.join(each.reading)}"] if each.reading else []
        lines += [f"  to act:  {each.acting[0]}", *(f"           {more}" for more in each.acting[1:])] if each.acting else []
        lines += [f"  note:    {each.note}"] if each.note else []
        lines += [f"  source:  {each.source}"]
    return "\n".join(lines) or "# no tokens at other vendors"


def _plain(site: Site, account: str, found: Iterable[Exported], notes: Sequence[str]) -> Json:
    return {
        "site": site.site,
        "account": account or None,
        "policies": [
            {
                "procedure": each.procedure,
                "credentials": each.credentials or None,
                "kind": each.kind,
                "characters": characters(each.document),
                "policy": each.document,
                "why": list(each.whys),
            }
            for each in found
        ],
        "tokens": [asdict(each) for each in scopes(site)],
        "notes": list(notes),
    }


def _write(folder: Path, found: Iterable[Exported]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in found:
            (folder / each.file).write_text(f"{each.text}\n", encoding="utf-8")
    except OSError as error:
        raise InputError("the files cannot be written", where=str(folder), seen=error.strerror or str(error)) from error
