"""The settings of one repository, all of them known."""

from __future__ import annotations

from datetime import UTC, datetime

from defib.mirror.settings import CiName, DeployKey, Protection, RepositorySettings, Visibility, Webhook
from defib.mirror.settings_compared import differences
from defib.mirror.settings_difference import Difference

MAIN = Protection("main", force_push=False, deletion=False, reviews=True, pushers=("pull requests only",))
KEY = DeployKey("builder", "SHA256:abc", writes=False)
HOOK = Webhook("https://ci.test/hook", ("push", "tag"), active=True, verifies_tls=True)
SOURCE = RepositorySettings(
    vendor="github",
    project="pulse/trading",
    asked=datetime(2026, 1, 1, tzinfo=UTC),
    default_branch="main",
    visibility=Visibility.PRIVATE,
    archived=False,
    protections=(MAIN,),
    deploy_keys=(KEY,),
    secrets=(CiName("TOKEN"),),
    variables=(CiName("REGION"),),
    webhooks=(HOOK,),
)
PARTS = (
    ("default_branch", "default branch"),
    ("archived", "archived"),
    ("visibility", "visibility"),
    ("protections", "protected branches"),
    ("deploy_keys", "deploy keys"),
    ("secrets", "CI secrets"),
    ("variables", "CI variables"),
    ("webhooks", "webhooks"),
)


def only(source: RepositorySettings, mirror: RepositorySettings) -> Difference:
    """The one difference that there is."""
    found = differences(source, mirror)
    assert len(found) == 1, found
    return found[0]
