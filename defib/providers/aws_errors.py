"""What botocore raises, as our errors, by AWS's own error codes.

Codes: https://docs.aws.amazon.com/Route53/latest/APIReference/CommonErrors.html and the errors of each operation.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from defib.clock import Deadline
from defib.errors import Denied, NotFound, ProviderError, Unavailable
from defib.providers.bounded import bounded
from defib.providers.retry_after import parse_retry_after

T = TypeVar("T")

_BUSY = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "BandwidthLimitExceeded",
    "SlowDown",
    # Route 53 takes one batch for a zone at a time and refuses the next ones with status 400.
    "PriorRequestNotComplete",
    "TooManyInvalidationsInProgress",
    "ServiceUnavailable",
    "InternalError",
    "InternalFailure",
    "InternalServiceError",
    "RequestTimeout",
}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
}
_SKEWED = {"RequestTimeTooSkewed", "RequestExpired"}
_NO_ANSWER = (HTTPClientError, BotoConnectionError, ResponseParserError)
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)


def asked(work: Callable[[], T], within: Deadline, what: str, where: str) -> T:
    """Run one call of a botocore client by its deadline; raises only :class:`ProviderError` and what the clock raises.

    The error keeps botocore's own as its cause.
    """
    try:
        return bounded(work, within, what, where)
    except ClientError as error:
        raise _answered(error, what, where, within.clock.now()) from error
    except _NO_ANSWER as error:
        raise Unavailable(f"{what}: no answer", where=where, seen=_short(str(error))) from error
    except _NO_CREDENTIALS as error:
        raise Denied(
            f"{what}: no usable credentials",
            where=where,
            seen=_short(str(error)),
            then="set aws.access_key and aws.secret_key in the site file, or log in with the AWS CLI",
        ) from error
    except BotoCoreError as error:
        # What botocore itself finds wrong in parameters, region or profile is wrong in the site file.
        raise NotFound(f"{what}: cannot be asked so", where=where, seen=_short(str(error))) from error


def code_of(error: BaseException | None) -> str:
    """AWS's error code of a cause, "" where AWS did not answer."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def message_of(error: BaseException | None) -> str:
    """AWS's own words of a cause, "" where AWS did not answer."""
    return str(error.response.get("Error", {}).get("Message", "")) if isinstance(error, ClientError) else ""


def _answered(error: ClientError, what: str, where: str, now: datetime) -> ProviderError:
    code, message = code_of(error), message_of(error)
    seen = _short(f"{code}: {message}")
    meta = error.response.get("ResponseMetadata", {})
    status = int(meta.get("HTTPStatusCode", 0))
    headers = {name.lower(): value for name, value in meta.get("HTTPHeaders", {}).items()}
    if code in _SKEWED or _signature_is_out_of_time(code, message):
        return _skewed(what, where, headers.get("date", ""), now)
    if code in _DENIED:
        return Denied(f"{what}: AWS refuses the credentials", where=where, seen=seen)
    broken = status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED  # which no patience mends
    if code in _BUSY or broken or status == HTTPStatus.TOO_MANY_REQUESTS:
        wish = parse_retry_after(headers.get("retry-after"), now)
        return Unavailable(f"{what}: AWS cannot answer now", where=where, seen=seen, retry_after=wish)
    if code.startswith("NoSuch") or code == "ResourceNotFoundException":
        return NotFound(f"{what}: AWS does not know it", where=where, seen=seen, then="check the ids in the site file")
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Denied(f"{what}: AWS refuses the credentials", where=where, seen=seen)
    return NotFound(f"{what}: AWS refuses the request", where=where, seen=seen)


def _signature_is_out_of_time(code: str, message: str) -> bool:
    # Services that check Signature Version 4 themselves say so in words: "Signature expired: … is now earlier than …",
    # "Signature not yet current: …".
    return code in _DENIED and ("Signature expired" in message or "Signature not yet current" in message)


def _skewed(what: str, where: str, theirs: str, now: datetime) -> Denied:
    return Denied(
        f"{what}: this machine's clock is wrong, AWS takes no signature that is minutes off",
        where=where,
        expected=f"the time at AWS, {theirs}" if theirs else "the time at AWS within 5 minutes",
        seen=f"{now:%a, %d %b %Y %H:%M:%S} UTC on this machine",
        then="set the clock (timedatectl set-ntp true), then run again",
    )


def _short(text: str) -> str:
    return text if len(text) <= 400 else text[:399] + "…"  # noqa: PLR2004
