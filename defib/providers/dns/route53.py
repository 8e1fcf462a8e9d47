"""Amazon Route 53."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, cast

from defib.clock import Deadline
from defib.errors import Conflict, NotFound
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.privilege.permission import Condition, Permission
from defib.providers.aws import AwsAccess, Clients
from defib.providers.aws_errors import asked, code_of, message_of
from defib.providers.dns.records import canonical, canonical_key, check, compare
from defib.providers.dns.route53_format import from_route53, normalized, to_route53, unescaped
from defib.providers.dns.route53_listing import Page, in_order

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_route53.literals import RRTypeType
    from mypy_boto3_route53.type_defs import (
        ChangeTypeDef,
        ListResourceRecordSetsRequestTypeDef,
        ListResourceRecordSetsResponseTypeDef,
        ResourceRecordSetOutputTypeDef,
        ResourceRecordSetUnionTypeDef,
    )

# "Tried to delete … but it was not found", "… but the values provided do not match the current values", "Tried to
# create … but it already exists", "… is not permitted as it conflicts with other records with the same DNS name".
_DIFFERS = re.compile(r"was not found|do not match|already exists|conflicts with other records")

# Route 53 lets no more weighted, latency or similar sets share a name and type:
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-entities-records
_ONE_NAME_AT_MOST = "100"

# "If MaxItems is greater than 300, Route 53 returns only the first 300":
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html
_PAGE = "300"

# "A request cannot contain more than 1,000 ResourceRecord elements", and "the sum of the number of characters (including
# spaces) in all Value elements in a request cannot exceed 32,000 characters"; both count twice in an UPSERT, which is not
# used here: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests-changeresourcerecordsets
_VALUES_AT_MOST = 1_000
_CHARACTERS_AT_MOST = 32_000

_SETS = "route53:ChangeResourceRecordSets"
_EACH = "ForAllValues:StringEquals"


def permissions(zone_id: str, keys: Collection[RecordKey]) -> tuple[Permission, ...]:
    """Reading a hosted zone, and changing the record sets of `keys` there and no others.

    No procedure asks whether a change is done (GetChange): the name servers are asked, which users ask.

    Without the condition on null, a request without names would be let through by ``ForAllValues``:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    """
    zone = f"arn:aws:route53:::hostedzone/{zone_id.removeprefix('/hostedzone/')}"
    reading = Permission(("route53:ListResourceRecordSets",), (zone,))
    if not keys:
        return (reading,)
    conditions = (
        Condition(_EACH, f"{_SETS}NormalizedRecordNames", tuple(sorted({normalized(key.name) for key in keys}))),
        Condition(_EACH, f"{_SETS}RecordTypes", tuple(sorted({key.type for key in keys}))),
        Condition(_EACH, f"{_SETS}Actions", ("CREATE", "DELETE")),
        Condition("Null", f"{_SETS}NormalizedRecordNames", ("false",)),
    )
    return reading, Permission((_SETS,), (zone,), acts=True, conditions=conditions)


Pace = Callable[[Deadline], None]
"""Waits until one more call may be sent, or raises :class:`defib.errors.Unavailable`."""


class Route53:
    """Fulfils :class:`defib.ports.DnsZone` for one hosted zone, by its id.

    Compare-and-set is one batch of DELETE(before, exactly) and CREATE(after). Route 53 makes a batch a transaction: all
    of its changes or none reach a name server together, so no name is ever without an answer
    (https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html).

    Reading costs at most one call a name, and one call for all names that stand within 300 record sets of each other, so
    mostly one; writing costs one. Neither grows with the zone. `pace` is called before each call of a read, whose number
    nobody can tell beforehand; a write is paced by whoever fences it. A batch above Route 53's limits (1,000
    values or 32,000 characters, before and after together) raises :class:`NotFound` and is not sent: in two it would be
    no transaction.

    An alias reads as a record set without values and with a TTL of zero; its target is in its attributes
    (``AliasTarget.DNSName``, ``AliasTarget.HostedZoneId``, ``AliasTarget.EvaluateTargetHealth``), and name servers answer it
    with the values and the TTL of that target. Weighted, failover and other routed sets have a set identifier in their key
    and ``Weight``, ``Failover``, ``HealthCheckId`` and so on as attributes: which of them is answered depends on the health
    checks as well, so a set that is in place need not be what users get.
    """

    def __init__(self, zone_id: str, access: AwsAccess, pace: Pace = lambda _: None) -> None:
        self._zone_id = zone_id.removeprefix("/hostedzone/")
        self._pace = pace
        self._clients: Clients[Route53Client] = access.clients("route53")

    @property
    def vendor(self) -> str:
        """``route53``."""
        return "route53"

    @property
    def zone(self) -> str:
        """The id of the hosted zone."""
        return self._zone_id

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """The record sets of `keys` as Route 53's API holds them, which may be ahead of its name servers."""
        found = self._find(keys, within)
        return tuple(from_route53(record) if record is not None else None for record in found)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Make all `changes` or none in one batch; the receipt asks with GetChange."""
        check(changes, self._where)
        if not changes:
            return Receipt("")
        self._refuse_too_large(changes)
        try:
            return self._submit(_actions(changes, [_spelt(change.before) for change in changes]), within)
        except NotFound as error:
            if code_of(error.__cause__) != "InvalidChangeBatch":
                raise
            return self._respelt_or_refused(changes, error, within)

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Whether GetChange says INSYNC: all of Route 53's own name servers have the change."""
        if not receipt.id:
            return True
        answer = asked(lambda: self._clients.within(within).get_change(Id=receipt.id), within, "GetChange", self._where)
        return answer["ChangeInfo"]["Status"] == "INSYNC"

    @property
    def _where(self) -> str:
        return f"Route 53, hosted zone {self._zone_id}"

    def _refuse_too_large(self, changes: Sequence[RecordChange]) -> None:
        values = [value for change in changes for side in (change.before, change.after) if side for value in side.values]
        characters = sum(map(len, values))
        if len(values) > _VALUES_AT_MOST or characters > _CHARACTERS_AT_MOST:
            raise NotFound(
                "more than Route 53 changes in one batch",
                where=self._where,
                expected=f"at most {_VALUES_AT_MOST:,} values and {_CHARACTERS_AT_MOST:,} characters, before and after",
                seen=f"{len(values):,} values and {characters:,} characters",
            )

    def _find(self, keys: Sequence[RecordKey], within: Deadline) -> list[ResourceRecordSetOutputTypeDef | None]:
        """Page from the first key that is still open, until none is: records between far keys are never paged through."""
        wanted = [canonical_key(key) for key in keys]
        known: dict[RecordKey, ResourceRecordSetOutputTypeDef | None] = {}
        while left := sorted({key for key in wanted if key not in known}, key=in_order):
            if len(left) > 1:
                known |= self._page(left[0].name, within).answered(left)
            if left[0] not in known:  # it is the only one, or its name has more record sets than a page
                known[left[0]] = self._find_one(left[0], within)
        return [known[key] for key in wanted]

    def _page(self, name: str, within: Deadline) -> Page:
        """A page from `name` on, whatever the type: types of one name are then on it whole, in whatever order."""
        listed = self._list({"HostedZoneId": self._zone_id, "StartRecordName": name, "MaxItems": _PAGE}, within)
        following = canonical_key(RecordKey(unescaped(listed["NextRecordName"]), "")).name if listed["IsTruncated"] else ""
        return Page(name, tuple(listed["ResourceRecordSets"]), following)

    def _find_one(self, key: RecordKey, within: Deadline) -> ResourceRecordSetOutputTypeDef | None:
        """List from where `key` would stand: the list is in order, so one page tells, however large the zone is."""
        question: ListResourceRecordSetsRequestTypeDef = {
            "HostedZoneId": self._zone_id,
            "StartRecordName": key.name,
            "StartRecordType": cast("RRTypeType", key.type),
            "MaxItems": _ONE_NAME_AT_MOST if key.set_identifier else "1",
        }
        if key.set_identifier:
            question["StartRecordIdentifier"] = key.set_identifier
        page = self._list(question, within)
        return next((each for each in page["ResourceRecordSets"] if from_route53(each).key == key), None)

    def _list(
        self, question: ListResourceRecordSetsRequestTypeDef, within: Deadline
    ) -> ListResourceRecordSetsResponseTypeDef:
        client = self._clients.within(
            within
        )  # before the wait: making one takes time, and what waited would go out together
        self._pace(within)
        return asked(lambda: client.list_resource_record_sets(**question), within, "ListResourceRecordSets", self._where)

    def _submit(self, actions: list[ChangeTypeDef], within: Deadline) -> Receipt:
        answer = asked(
            lambda: self._clients.within(within).change_resource_record_sets(
                HostedZoneId=self._zone_id, ChangeBatch={"Comment": "defib", "Changes": actions}
            ),
            within,
            "ChangeResourceRecordSets",
            self._where,
        )
        return Receipt(answer["ChangeInfo"]["Id"].removeprefix("/change/"))

    def _respelt_or_refused(self, changes: Sequence[RecordChange], refusal: NotFound, within: Deadline) -> Receipt:
        """Tell why a batch was invalid, or send it again where only the spelling differed.

        People enter host names with and without the final dot and Route 53 lists them as entered, while DELETE must
        name the values that stand. The second batch compares and sets just as the first.
        """
        found = self._find([change.key for change in changes], within)
        seen = [from_route53(record) if record is not None else None for record in found]
        compare(changes, seen, self._where)
        if found != [_spelt(change.before) for change in changes]:
            try:
                return self._submit(_actions(changes, found), within)
            except NotFound as again:
                refusal = again
        if _DIFFERS.search(message_of(refusal.__cause__)):
            raise Conflict(refusal.what, where=self._where, seen=refusal.seen) from refusal
        raise refusal


def _spelt(record: RecordSet | None) -> ResourceRecordSetUnionTypeDef | None:
    return to_route53(canonical(record)) if record is not None else None


def _actions(changes: Sequence[RecordChange], before: Sequence[ResourceRecordSetUnionTypeDef | None]) -> list[ChangeTypeDef]:
    """DELETE all that stands, in the spelling given, then CREATE what is to stand: types that exclude each other swap."""
    actions: list[ChangeTypeDef] = [
        {"Action": "DELETE", "ResourceRecordSet": standing} for standing in before if standing is not None
    ]
    for change in changes:
        after = _spelt(change.after)
        if after is not None:
            actions.append({"Action": "CREATE", "ResourceRecordSet": after})
    return actions
