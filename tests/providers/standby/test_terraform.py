"""The standby as Terraform says what the site file says, in a file that Terraform takes."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from defib.lab.furniture import SECURITY_HEADERS
from defib.providers.standby.hcl import Attribute, Block, Call, Reference, block, quoted, render, within
from defib.providers.standby.terraform import terraform
from defib.redeploy.groundwork import Groundwork, Limit, groundwork
from defib.sites.site import load_site
from defib.sites.vendors import AwsHost

TERRAFORM = shutil.which("terraform") or ""
PLUGINS = os.environ.get("DEFIB_TERRAFORM_PLUGINS", "")
"""A folder that ``terraform providers mirror`` made: validating asks no registry."""

WORK = Groundwork(
    site="pulse",
    bucket="pulse-releases",
    region="eu-central-1",
    distribution="E1PULSE",
    names=("www.pulse.example", "pulse.example"),
    headers=tuple(sorted((*SECURITY_HEADERS, ("Permissions-Policy", 'camera=(), x="${y}" %{z}')))),
    limits=(("all", Limit.per_minute("/", 1000)), ("login", Limit.per_minute("/login", 5))),
    logs="pulse-logs",
)
QUIET = replace(WORK, logs="", limits=(), headers=())
SHARED = replace(WORK, shared=True)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Terraform in `folder`, with no configuration of whoever runs the tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    environment |= {"CHECKPOINT_DISABLE": "1", "HOME": str(folder)}
    command = [TERRAFORM, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.skipif(not TERRAFORM, reason="terraform is not installed")
@pytest.mark.parametrize("work", [WORK, QUIET, SHARED], ids=["all", "least", "shared"])
def test_file_is_as_terraform_would_format_it(tmp_path: Path, work: Groundwork) -> None:
    """What `terraform fmt` would leave: a file under version control shows no changes but real ones."""
    (tmp_path / "main.tf").write_text(terraform(work))
    checked = run(tmp_path, "fmt", "-check", "-diff", "-no-color")
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.skipif(not TERRAFORM, reason="terraform is not installed")
@pytest.mark.skipif(not PLUGINS, reason="DEFIB_TERRAFORM_PLUGINS names no folder with the AWS provider")
@pytest.mark.parametrize("work", [WORK, QUIET, SHARED], ids=["all", "least", "shared"])
def test_terraform_finds_it_valid(tmp_path: Path, work: Groundwork) -> None:
    """Every resource, attribute and reference exists in the AWS provider."""
    (tmp_path / "main.tf").write_text(terraform(work))
    ready = run(tmp_path, "init", "-input=false", "-no-color", f"-plugin-dir={PLUGINS}")
    assert ready.returncode == 0, ready.stderr
    checked = run(tmp_path, "validate", "-no-color")
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.strip() == "Success! The configuration is valid."


@pytest.mark.skipif(not TERRAFORM or not PLUGINS, reason="terraform or its AWS provider is not there")
def test_terraform_finds_a_wrong_file_invalid(tmp_path: Path) -> None:
    """The check above can fail."""
    (tmp_path / "main.tf").write_text(terraform(WORK).replace("http_version ", "http_versions"))
    run(tmp_path, "init", "-input=false", "-no-color", f"-plugin-dir={PLUGINS}")
    assert run(tmp_path, "validate", "-no-color").returncode == 1


def test_every_part_of_the_site_file_is_in_it() -> None:
    """Names, headers to the letter, limits, buckets, TLS and protocols."""
    text = terraform(WORK)
    for wanted in (
        'aliases             = ["pulse.example", "www.pulse.example"]',
        quoted(dict(SECURITY_HEADERS)["Content-Security-Policy"]),
        "access_control_max_age_sec = 31536000",
        'value    = "camera=(), x=\\"$${y}\\" %%{z}"',
        'bucket = "pulse-releases"',
        'bucket = "pulse-logs"',
        'minimum_protocol_version = "TLSv1.2_2021"',
        'http_version        = "http2and3"',
        "evaluation_window_sec = 120",
        'search_string         = "/login"',
        "restrict_public_buckets = true",
        'sse_algorithm = "AES256"',
        "arn:aws:s3:::pulse-releases/releases/*",
        '"AWS:SourceArn" = aws_cloudfront_distribution.standby.arn',
        "ignore_changes = [origin, enabled]",
        "terraform import aws_cloudfront_distribution.standby E1PULSE",
    ):
        assert wanted in text


def test_distribution_of_a_cdn_stays_where_it_is_kept() -> None:
    """The CDN's distribution is read, not made a second time; its new origin is told."""
    text = terraform(SHARED)
    assert 'resource "aws_cloudfront_distribution"' not in text
    assert '"AWS:SourceArn" = data.aws_cloudfront_distribution.cdn.arn' in text
    assert '"pulse-releases.s3.eu-central-1.amazonaws.com"' in text


def test_same_standby_is_the_same_file() -> None:
    """Pure: nothing but the site file decides."""
    assert terraform(WORK) == terraform(replace(WORK))
    assert terraform(WORK) != terraform(QUIET)


def test_lab_can_be_exported() -> None:
    """The lab's own site file, where it has a standby on AWS."""
    sites = [load_site(path) for path in sorted((Path(__file__).parents[3] / "runbooks" / "sites").glob("*.yaml"))]
    standbys = [(site, host) for site in sites for host in site.hosts if isinstance(host, AwsHost)]
    for site, host in standbys:
        text = terraform(groundwork(site, host))
        assert quoted(host.bucket) in text
        told = [value for name, value in site.page.headers.items() if name.startswith("Content-")]
        assert groundwork(site, host).shared or all(quoted(value) in text for value in told)
    assert standbys


def test_nothing_in_a_value_is_an_expression() -> None:
    """What comes from a site file is literal, whatever it looks like."""
    assert quoted('a "b" ${c} %{d} \\ \n') == '"a \\"b\\" $${c} %%{d} \\\\ \\n"'


def test_blocks_are_written_with_their_equal_signs_aligned() -> None:
    """Attributes of one line each stand below each other; longer ones stand alone."""
    inner = within(block("rule", a=1, longer=True), Block("in", ("x",), (Attribute("list", ["a", {"k": "v"}]),)))
    written = render(
        [within(block("resource", "t", "n", ref=Reference("a.b")), inner), block("locals", j=Call("f", {"K-1": [1]}))]
    )
    assert written == (
        'resource "t" "n" {\n  ref = a.b\n\n  rule {\n    a      = 1\n    longer = true\n\n    in "x" {\n'
        '      list = [\n        "a",\n        {\n          k = "v"\n        },\n      ]\n    }\n  }\n}\n\n'
        "locals {\n  j = f({\n    K-1 = [1]\n  })\n}\n"
    )
