"""The assets' buckets as one text: what users would get of each, and how replication is set up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from defib.lab.replication.configurations import Configurations
from defib.lab.replication.furniture import BESIDE, REPLICA, ROLE, SOURCE
from defib.lab.replication.permissions import SERVICE
from defib.lab.strict import versions
from defib.lab.strict.roles import Role


def state(configurations: Configurations) -> dict[str, Any]:
    """All three buckets, each key with its versions, the role and the rules; statuses are left out, for they pass."""
    buckets = {name: _bucket(held) for name in (SOURCE, REPLICA, BESIDE) if (held := versions.bucket(name)) is not None}
    held = configurations.of(SOURCE)
    rules = [repr(rule) for rule in held.rules] if held is not None else []
    role = Role(held.role if held is not None else ROLE)
    return {**buckets, "rules": rules, "role": {"trusted": role.trusts(SERVICE), "policies": list(role.policies())}}


def _bucket(held: Any) -> dict[str, Any]:
    return {
        "region": held.region_name,
        "versioning": held.versioning_status,
        "policy": bytes(held.policy or b"").decode(),
        "lifecycle": [rule.id for rule in held.rules],
        "encryption": held.encryption,
        "ownership": held.ownership_rule,
        "object lock": [held.object_lock_enabled, held.default_lock_mode, held.default_lock_days],
        "keys": {key: list(_versions(held, key)) for key in versions.sorted_keys(held, "")},
    }


def _versions(held: Any, key: str) -> Iterator[str]:
    """What each version of a key is, the oldest first: a canary or a delete marker that was left shows, also an old one."""
    for version in versions.of_key(held, key):
        if versions.is_marker(version):
            yield "deleted"
            continue
        told = sorted((str(name).lower(), str(value)) for name, value in version.metadata.items())
        tags = sorted(versions.backend().tagger.get_tag_dict_for_resource(version.arn).items())
        body = hashlib.sha256(version.value)
        yield f"{version.size} {body.hexdigest()[:16]} {hashlib.sha256(repr((told, tags)).encode()).hexdigest()[:8]}"
