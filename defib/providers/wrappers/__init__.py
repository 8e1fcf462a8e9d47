"""Retry, rate limit and read-only, each a port around a port: no adapter knows of them, no caller asks for them."""

from defib.providers.wrappers.rate import Rate, RateLimitedCdn, RateLimitedZone
from defib.providers.wrappers.readonly import ReadOnlyCdn, ReadOnlyZone
from defib.providers.wrappers.retry import Backoff, RetryingCdn, RetryingZone

__all__ = [
    "Backoff",
    "Rate",
    "RateLimitedCdn",
    "RateLimitedZone",
    "ReadOnlyCdn",
    "ReadOnlyZone",
    "RetryingCdn",
    "RetryingZone",
]
