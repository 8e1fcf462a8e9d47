"""Route 53 of the lab refuses what Route 53 refuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from mypy_boto3_route53.client import Route53Client

from defib.clock import Deadline, SystemClock
from defib.lab import furniture
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.faults import Fault

WWW = "www.pulse-trading.test."
CLOCK = SystemClock()


def client(aws: RunningAws, access_key: str = "", secret_key: str = "", patience: float = 60) -> Route53Client:
    """A Route 53 client that neither retries nor waits long."""
    return boto3.client(
        "route53",
        region_name="us-east-1",
        endpoint_url=aws.endpoint,
        aws_access_key_id=access_key or aws.credentials.access_key,
        aws_secret_access_key=secret_key or aws.credentials.secret_key,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=patience),
    )


@pytest.fixture
def aws() -> Iterator[RunningAws]:
    """AWS alone."""
    with serve_aws() as running:
        yield running


@pytest.fixture
def route53(aws: RunningAws) -> Iterator[Route53Client]:
    """A client with the right keys."""
    made = client(aws)
    yield made
    made.close()


def change(action: str, name: str = WWW, type_: str = "CNAME", *values: str, ttl: int = 3) -> Any:
    """One entry of a batch."""
    records = [{"Value": value} for value in values]
    return {
        "Action": action,
        "ResourceRecordSet": {"Name": name, "Type": type_, "TTL": ttl, "ResourceRecords": records},
    }


def submit(route53: Route53Client, *changes: Any) -> str:
    """Submit a batch and give the id of the change."""
    batch: Any = {"Changes": list(changes)}
    answer = route53.change_resource_record_sets(HostedZoneId=furniture.ZONE_ID, ChangeBatch=batch)
    return answer["ChangeInfo"]["Id"]


def refusal(route53: Route53Client, *changes: Any) -> tuple[str, str]:
    """The code and message with which a batch is refused."""
    with pytest.raises(ClientError) as caught:
        submit(route53, *changes)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def held(route53: Route53Client) -> dict[tuple[str, str], tuple[int, list[str]]]:
    """TTL and values of every record set, by name and type."""
    sets = route53.list_resource_record_sets(HostedZoneId=furniture.ZONE_ID)["ResourceRecordSets"]
    return {
        (each["Name"], str(each["Type"])): (each["TTL"], [one["Value"] for one in each["ResourceRecords"]]) for each in sets
    }


def test_the_zone_stands_from_the_start(route53: Route53Client) -> None:
    """The zone of the site file has its SOA, its name servers, the steering record, the apex and who may issue for it."""
    found = held(route53)
    assert found[WWW, "CNAME"] == (3, ["d2pulsetrading.cloudfront.net."])
    assert {type_ for name, type_ in found if name == furniture.ZONE} == {"SOA", "NS", "A", "CAA"}
    assert all(value.endswith(".") for value in found[furniture.ZONE, "NS"][1])


def test_a_change_is_pending_and_then_in_sync(route53: Route53Client) -> None:
    """Each change has an id of its own, and is INSYNC only after it has reached all servers."""
    first = submit(route53, change("UPSERT", WWW, "CNAME", "a.example."))
    second = submit(route53, change("UPSERT", WWW, "CNAME", "b.example."))
    assert first != second
    assert route53.get_change(Id=second)["ChangeInfo"]["Status"] == "PENDING"
    deadline = Deadline.after(CLOCK, timedelta(seconds=30))
    while route53.get_change(Id=second)["ChangeInfo"]["Status"] != "INSYNC":
        assert not deadline.expired()
    assert held(route53)[WWW, "CNAME"] == (3, ["b.example."])


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (change("CREATE", WWW, "CNAME", "x.example."), "but it already exists"),
        (change("DELETE", WWW, "CNAME", "x.example."), "do not match the current values"),
        (change("DELETE", WWW, "CNAME", "d2pulsetrading.cloudfront.net.", ttl=4), "do not match"),
        (change("DELETE", f"no.{WWW}", "CNAME", "x.example."), "but it was not found"),
        (change("UPSERT", furniture.ZONE, "CNAME", "x.example."), "not permitted at apex"),
        (change("UPSERT", WWW, "A", "192.0.2.1"), "conflicts with other records"),
        (change("UPSERT", WWW, "CNAME", "x.example.", "y.example."), "only one value"),
        (change("UPSERT", WWW, "CNAME", "not a name"), "not a valid domain name"),
        (change("UPSERT", f"a.{WWW}", "A", "192.0.2.256"), "not a valid IPv4 address"),
        (change("UPSERT", f"a.{WWW}", "AAAA", "192.0.2.1"), "not a valid IPv6 address"),
        (change("UPSERT", f"a.{WWW}", "A", "192.0.2.1", "192.0.2.1"), "Duplicate Resource Record"),
        (change("UPSERT", "www.example.org.", "A", "192.0.2.1"), "not permitted in zone"),
        (change("DELETE", furniture.ZONE, "NS", "x.example."), "do not match"),
    ],
)
def test_a_bad_change_is_refused_as_the_service_refuses_it(route53: Route53Client, entry: Any, told: str) -> None:
    """What Route 53 would not take is InvalidChangeBatch, in its words, and changes nothing."""
    before = held(route53)
    code, message = refusal(route53, entry)
    assert code == "InvalidChangeBatch"
    assert told in message
    assert held(route53) == before


def test_a_batch_is_made_as_a_whole_or_not_at_all(route53: Route53Client) -> None:
    """One bad entry keeps every good one of its batch from being made."""
    before = held(route53)
    good = change("UPSERT", f"api.{WWW}", "A", "192.0.2.1")
    refusal(route53, good, change("CREATE", WWW, "CNAME", "x.example."))
    assert held(route53) == before
    replaced = (
        change("DELETE", WWW, "CNAME", "d2pulsetrading.cloudfront.net."),
        change("CREATE", WWW, "A", "192.0.2.7"),
    )
    submit(route53, *replaced)
    assert (WWW, "CNAME") not in held(route53)
    assert held(route53)[WWW, "A"] == (3, ["192.0.2.7"])


@pytest.mark.parametrize("ttl", [2**31, 2**40])
def test_a_ttl_out_of_range_is_refused(route53: Route53Client, ttl: int) -> None:
    """TTLs are whole seconds from 0 to 2**31 - 1."""
    code, _ = refusal(route53, change("UPSERT", WWW, "CNAME", "x.example.", ttl=ttl))
    assert code == "InvalidInput"


def test_the_same_set_twice_in_a_batch_is_refused(route53: Route53Client) -> None:
    """A batch says one thing of each record set."""
    entry = change("UPSERT", WWW, "CNAME", "x.example.")
    code, message = refusal(route53, entry, entry)
    assert (code, "invalid set of changes" in message) == ("InvalidChangeBatch", True)


def test_weighted_sets_live_side_by_side(route53: Route53Client) -> None:
    """Sets of one name differ by identifier; taking one away leaves the other, and simple beside weighted is refused."""
    name = f"w.{WWW}"

    def weighted(action: str, identifier: str, weight: int) -> Any:
        entry = change(action, name, "CNAME", f"{identifier}.example.")
        entry["ResourceRecordSet"] |= {"SetIdentifier": identifier, "Weight": weight}
        return entry

    submit(route53, weighted("CREATE", "a", 100), weighted("CREATE", "b", 0))
    code, message = refusal(route53, change("UPSERT", name, "CNAME", "x.example."))
    assert (code, "both simple and routed" in message) == ("InvalidChangeBatch", True)
    submit(route53, weighted("DELETE", "a", 100))
    sets = route53.list_resource_record_sets(HostedZoneId=furniture.ZONE_ID)["ResourceRecordSets"]
    left = [(each["SetIdentifier"], each["Weight"]) for each in sets if each["Name"] == name]
    assert left == [("b", 0)]


def test_what_does_not_exist_is_not_found(route53: Route53Client) -> None:
    """An unknown zone or change has the service's own code."""
    entry: Any = {"Changes": [change("UPSERT", WWW, "CNAME", "x.example.")]}
    with pytest.raises(ClientError, match="NoSuchHostedZone"):
        route53.change_resource_record_sets(HostedZoneId="Z0NOBODY", ChangeBatch=entry)
    with pytest.raises(ClientError, match="NoSuchHostedZone"):
        route53.list_resource_record_sets(HostedZoneId="Z0NOBODY")
    with pytest.raises(ClientError, match="NoSuchChange"):
        route53.get_change(Id="C0NOBODY")


def test_a_list_of_health_checks_says_that_it_is_whole(route53: Route53Client) -> None:
    """Clients that page through the list find its end, as they do at the service."""
    listed = route53.list_health_checks()
    assert (listed["IsTruncated"], listed["MaxItems"]) == (False, "100")


def test_a_wrong_key_is_refused(aws: RunningAws) -> None:
    """Neither an unknown access key nor a wrong secret opens anything."""
    for keys, code in (
        (("AKIAUNKNOWN000000000", ""), "InvalidClientTokenId"),
        (("", "not-the-secret"), "SignatureDoesNotMatch"),
    ):
        stranger = client(aws, *keys)
        with pytest.raises(ClientError) as caught:
            stranger.list_resource_record_sets(HostedZoneId=furniture.ZONE_ID)
        stranger.close()
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_refusing_faults_speak_as_the_service(aws: RunningAws, route53: Route53Client) -> None:
    """Throttled, failing and denied answers have their own codes, and a throttled one says how long to wait."""
    seen = {}
    for fault in (Fault("429", {"retry_after": 7}), Fault("500"), Fault("denied")):
        aws.set_fault("route53", fault)
        with pytest.raises(ClientError) as caught:
            route53.list_resource_record_sets(HostedZoneId=furniture.ZONE_ID)
        response = caught.value.response
        seen[fault.name] = (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"])
        if fault.name == "429":
            assert response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"
    assert seen == {
        "429": ("Throttling", 400),
        "500": ("InternalFailure", 500),
        "denied": ("AccessDenied", 403),
    }
    aws.set_fault("route53", None)
    assert held(route53)


def test_a_lying_success_changes_nothing(aws: RunningAws, route53: Route53Client) -> None:
    """The API says yes and INSYNC, and the zone holds what it held."""
    before = held(route53)
    aws.set_fault("route53", Fault("lying"))
    change_id = submit(route53, change("UPSERT", WWW, "CNAME", "x.example."))
    assert route53.get_change(Id=change_id)["ChangeInfo"]["Status"] == "INSYNC"
    assert held(route53) == before


def test_a_lost_answer_has_still_landed(aws: RunningAws, route53: Route53Client) -> None:
    """The write is made and the connection ends without a word, once."""
    aws.set_fault("route53", Fault("lost-answer", {"times": 1}))
    with pytest.raises(ConnectionClosedError):
        submit(route53, change("UPSERT", WWW, "CNAME", "x.example."))
    assert held(route53)[WWW, "CNAME"] == (3, ["x.example."])


def test_a_hanging_call_never_lands(aws: RunningAws) -> None:
    """A hang answers nothing and changes nothing, also after it is healed."""
    impatient = client(aws, patience=0.3)
    before = held(impatient)
    aws.set_fault("route53", Fault("hang"))
    with pytest.raises(ReadTimeoutError):
        submit(impatient, change("UPSERT", WWW, "CNAME", "x.example."))
    aws.set_fault("route53", None)
    assert held(impatient) == before
    impatient.close()
