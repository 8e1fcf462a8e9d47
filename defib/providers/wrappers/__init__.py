"""Retry, rate limit, fence and read-only, each a port around a port: no adapter knows of them, no caller asks for them."""

from defib.providers.attempts import Backoff
from defib.providers.wrappers.fenced import FencedCdn, FencedHost, FencedZone
from defib.providers.wrappers.rate import Cost, Rate, RateLimitedCdn, RateLimitedHost, RateLimitedZone
from defib.providers.wrappers.readonly import ReadOnlyCdn, ReadOnlyHost, ReadOnlyZone
from defib.providers.wrappers.retry import RetryingCdn, RetryingHost, RetryingZone

__all__ = [
    "Backoff",
    "Cost",
    "FencedCdn",
    "FencedHost",
    "FencedZone",
    "Rate",
    "RateLimitedCdn",
    "RateLimitedHost",
    "RateLimitedZone",
    "ReadOnlyCdn",
    "ReadOnlyHost",
    "ReadOnlyZone",
    "RetryingCdn",
    "RetryingHost",
    "RetryingZone",
]
