"""The whole lab in one event loop: every server at its address, every fault by name, and the outside state as one text."""

from __future__ import annotations

import base64
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from defib.clock import Clock, SystemClock
from defib.errors import InputError
from defib.lab import faults, faulty, furniture, standby
from defib.lab.aws import REGIONS, Aws
from defib.lab.certificates import LabAuthority
from defib.lab.cloudflare import CloudflareApi
from defib.lab.edge import Edge, Vendor
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.faulty import FaultyServer
from defib.lab.fingerprint import fingerprint
from defib.lab.git import GitTokens, git_hosts
from defib.lab.healthcheck import Endpoint, InvertedCheck
from defib.lab.history import write_history
from defib.lab.hosting.bearings import asking
from defib.lab.hosting.platforms import HostingPlatforms, Tokens
from defib.lab.inbox import Inbox
from defib.lab.monitoring.api import MonitoringApi
from defib.lab.monitoring.furniture import MonitoringTokens, monitoring
from defib.lab.names import NameService
from defib.lab.others import OthersApi, Reference
from defib.lab.plan import API_PORT, SMTP_PORT, WEB_PORT, AddressPlan
from defib.lab.registry import Registry
from defib.lab.replication.furniture import furnish as furnish_replication
from defib.lab.s3origin import S3Origin, endpoint_of
from defib.lab.siteserver import SiteServer
from defib.lab.statuspage import StatuspageApi
from defib.lab.strict.signature import Credentials
from defib.lab.vendors import CloudflareVendor, CloudFrontVendor

S3_ORIGIN = "2.1"
REGISTRY = "1.13"
BUILT_BEFORE_START = timedelta(minutes=15)


@dataclass(frozen=True)
class Secrets:
    """What clients must know; new at each start."""

    aws: Credentials
    cloudflare_token: str
    tsig_key: str
    inbox_token: str
    statuspage_token: str
    hosting: Tokens
    git: GitTokens
    monitoring: MonitoringTokens

    @classmethod
    def random(cls) -> Secrets:
        """Fresh ones, in the shapes of the real ones."""
        access_key = "AKIA" + base64.b32encode(secrets.token_bytes(10)).decode()
        return cls(
            Credentials(access_key, secrets.token_urlsafe(30)),
            secrets.token_urlsafe(30),
            base64.b64encode(secrets.token_bytes(32)).decode(),
            secrets.token_hex(13),  # a chat's webhooks take no more than letters and digits
            secrets.token_hex(16),
            Tokens(secrets.token_urlsafe(18), "nfp_" + secrets.token_urlsafe(27)),
            GitTokens("ghs_" + secrets.token_hex(18), "glpat-" + secrets.token_urlsafe(15)),
            MonitoringTokens.random(),
        )

    def write(self, folder: Path, urls: Mapping[str, str]) -> None:
        """One file each, readable by its owner alone; `urls` are those of the channels for alerts."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, value in (
            ("aws-access-key", self.aws.access_key),
            ("aws-secret-key", self.aws.secret_key),
            ("cloudflare-token", self.cloudflare_token),
            ("tsig-key", self.tsig_key),
            ("vercel-token", self.hosting.vercel),
            ("netlify-token", self.hosting.netlify),
            ("statuspage-token", self.statuspage_token),
            ("github-token", self.git.github),
            ("gitlab-token", self.git.gitlab),
            ("uptimerobot-token", self.monitoring.uptimerobot),
            ("pingdom-token", self.monitoring.pingdom),
            ("sentry-token", self.monitoring.sentry),
            *((f"alert-{name}", url) for name, url in urls.items()),
        ):
            file = folder / name
            file.unlink(missing_ok=True)
            file.touch(mode=0o600)
            file.write_text(value + "\n", encoding="ascii")


class World:
    """One lab, with its repositories in `folder`. moto's state is global to a process: one world a process at a time."""

    def __init__(self, plan: AddressPlan, keys: Secrets, clock: Clock | None = None, folder: Path | None = None) -> None:
        self.plan = plan
        self.clock = clock or SystemClock()
        self.authority = LabAuthority(self.clock)
        self._own_folder = tempfile.TemporaryDirectory(prefix="defib-lab-") if folder is None else None
        folder = folder or Path(self._own_folder.name if self._own_folder else "")
        self.history = write_history(folder / "history.git", self.clock.now() - BUILT_BEFORE_START)
        self.build = self.history.build
        self.git = git_hosts(plan, keys.git, folder, self.history, self.clock)
        self.names = NameService(plan, keys.tsig_key, self.authority)
        self.aws = Aws(plan.at("1.1"), API_PORT, keys.aws, self.names.publish, self.clock)
        furniture.furnish(self.aws, plan, standby.cdn_with_releases(self.authority))
        furnish_replication(self.aws.replication.configurations, self.clock.now())
        zones = furniture.cloudflare_zones(plan, self.clock.now())
        self.cloudflare = CloudflareApi(
            plan.at("1.2"), API_PORT, keys.cloudflare_token, zones, self.clock, publish=self.names.publish_cloudflare
        )
        self.inbox = Inbox(plan.at("1.5"), API_PORT, SMTP_PORT, keys.inbox_token, self.clock)
        self.statuspage = StatuspageApi(plan.at("1.6"), API_PORT, keys.statuspage_token, self.clock)
        self.registry = Registry(plan.at(REGISTRY), API_PORT, {"intl": "0.19.0"})
        elsewhere = self.names.resolver_elsewhere
        self.monitoring = monitoring(plan, keys.monitoring, elsewhere, self.authority, self.clock)
        self._told: dict[str, Inbox | StatuspageApi | FaultyServer | MonitoringApi] = {
            "inbox": self.inbox,
            "statuspage": self.statuspage,
            "pub": self.registry.server,
            **self.monitoring,
        }
        self.status_bucket = furniture.status_bucket()
        self.switch_bucket = furniture.switch_bucket()
        self.standby_bucket = standby.furnish(self.aws, self.authority, self.build, self.clock)
        self._armed = self._make_armed()
        ask = asking(self.names.vendors_resolver)
        self.hosting = HostingPlatforms(plan, keys.hosting, self.build, self.authority, ask, self.clock)
        self._faults: dict[str, Fault] = {}
        self._sites = self._make_sites()

    def _make_armed(self) -> InvertedCheck:
        """The health check that failover record sets name: it asks S3, as anybody may, and nothing of Route 53's API."""
        path = f"/{furniture.SWITCH_BUCKET}/{furniture.SWITCH_KEY}"

        def tell(healthy: bool) -> None:
            self.names.set_health(furniture.ARMED_HEALTH_CHECK, healthy=healthy)

        return InvertedCheck(Endpoint(self.plan.at("1.1"), API_PORT, path), tell)

    def _make_sites(self) -> dict[str, SiteServer]:
        service = Credentials("ASIACLOUDFRONT", secrets.token_urlsafe(30))
        cloudfront = CloudFrontVendor(self.aws.cloudfront, self.aws.headers_policies, service, self.clock)
        buckets = (standby.BUCKET, standby.CDN_BUCKET)
        bucket = S3Origin(self.plan.at(S3_ORIGIN), WEB_PORT, self.authority, service, self.clock, *buckets)
        sites = {
            "cloudfront": self._edge("3.1", cloudfront),
            "aws-edge": self._edge(furniture.STANDBY_EDGE, cloudfront),
            "aws-origin": bucket.server,
            "cloudflare": self._edge("4.1", CloudflareVendor(self.cloudflare)),
            **self.hosting.edges(),
        }
        addresses = furniture.others(self.plan)
        for name in furniture.REFERENCES:
            sites[name.removesuffix(".test")] = Reference(addresses[name], WEB_PORT, name, self.authority).server
        for target, name in furniture.APIS.items():
            sites[target] = OthersApi(addresses[name], WEB_PORT, name, self.authority).server
        return sites

    def _edge(self, last: str, vendor: Vendor) -> SiteServer:
        domains = (furniture.DISTRIBUTION_DOMAIN, furniture.STANDBY_DOMAIN)
        names = (*furniture.CDN_ALIASES, *domains, furniture.PROXIED_NAME, *standby.NAMES)
        bucket = (self.plan.at(S3_ORIGIN), WEB_PORT)
        edge = Edge(
            self.plan.at(last),
            WEB_PORT,
            vendor,
            names=names,
            origins={
                furniture.ORIGIN: (self.plan.at(furniture.ORIGIN_EDGE), WEB_PORT),
                **{endpoint_of(name): bucket for name in (standby.BUCKET, standby.CDN_BUCKET)},
            },
            build=self.build,
            authority=self.authority,
            clock=self.clock,
        )
        return edge.server

    async def start(self) -> None:
        """Listen everywhere; OSError or :class:`defib.errors.PortTaken` where an address is in use."""
        for site in self._sites.values():
            await site.start()
        await self.aws.start()
        await self.cloudflare.start()
        await self.hosting.start()
        for repository in self.git.values():
            await repository.start()
        for told in self._told.values():
            await told.start()
        await self.names.start()
        await self._armed.start()

    async def stop(self) -> None:
        """Stop every server. Safe to repeat."""
        await self._armed.stop()
        await self.names.stop()
        for told in self._told.values():
            await told.stop()
        for repository in self.git.values():
            await repository.stop()
        await self.hosting.stop()
        await self.cloudflare.stop()
        await self.aws.stop()
        for site in self._sites.values():
            await site.stop()
        if self._own_folder is not None:
            self._own_folder.cleanup()

    @property
    def targets(self) -> Mapping[str, tuple[str, ...]]:
        """Everything that can be broken, and how."""
        sites: dict[str, tuple[str, ...]]
        sites = dict.fromkeys(("cloudfront", "cloudflare", "aws-edge", "vercel", "netlify"), faults.EDGE_FAULTS)
        sites["aws-origin"] = faults.ORIGIN_FAULTS
        sites |= {name.removesuffix(".test"): faults.REFERENCE_FAULTS for name in furniture.REFERENCES}
        sites |= dict.fromkeys(furniture.APIS, faults.OTHERS_API_FAULTS)
        sites |= dict.fromkeys(self.git, faults.GIT_FAULTS)
        apis: dict[str, tuple[str, ...]]
        apis = dict.fromkeys(("route53-api", "cloudfront-api"), faults.AWS_FAULTS)
        apis["s3-api"] = faults.S3_FAULTS
        apis |= {f"s3-{region}": faults.REGION_FAULTS for region in REGIONS}
        apis["s3-replication"] = faults.REPLICATION_FAULTS
        apis |= dict.fromkeys(("s3control-api", "monitoring-api"), faults.READ_FAULTS)
        apis["cloudflare-api"] = faults.CLOUDFLARE_FAULTS
        apis |= dict.fromkeys(self.hosting.switches, faults.AWS_FAULTS)
        apis |= {f"{name}-api": faults.FORGE_FAULTS for name in self.git}
        told: dict[str, tuple[str, ...]] = dict.fromkeys(self._told, faulty.FAULTS)
        told |= dict.fromkeys(self.monitoring, faults.MONITORING_FAULTS)
        return {**sites, **apis, **told, **self.names.targets}

    @property
    def active(self) -> Mapping[str, Fault]:
        """What is broken now, by target; faults that healed themselves are gone."""
        return {target: fault for target, fault in sorted(self._faults.items()) if self._in_force(target)}

    async def break_(self, target: str, fault: Fault) -> None:
        """Put `fault` in force at `target` in place of any other; :class:`InputError` names the nearest valid one."""
        faults.check(self.targets, target, fault)
        if fault.options and target in self.names.targets:
            raise InputError(f"faults of {target} take no options", seen=", ".join(fault.options))
        await self._set(target, fault)
        self._faults[target] = fault

    async def heal(self, target: str | None = None) -> None:
        """Heal `target`, or everything. Healing what is well does nothing."""
        if target is not None:
            faults.check_target(self.targets, target)
        for each in [target] if target is not None else list(self._faults):
            await self._set(each, None)
            self._faults.pop(each, None)

    async def _set(self, target: str, fault: Fault | None) -> None:
        if target in self._sites:
            await self._sites[target].set_fault(fault)
        elif target in self._told:
            await self._told[target].set_fault(fault)
        elif target in self.git:
            await self.git[target].set_fault(fault)
        elif target in self.names.targets:
            self.names.set_fault(target, fault.name if fault is not None else None)
        else:
            self._switch(target).set(fault)

    def _switch(self, target: str) -> FaultSwitch:
        if target == "cloudflare-api":
            return self.cloudflare.switch
        if target in self.hosting.switches:
            return self.hosting.switches[target]
        if target.removesuffix("-api") in self.git:
            return self.git[target.removesuffix("-api")].api.switch
        return self.aws.switches[target.removesuffix("-api")]

    def _in_force(self, target: str) -> bool:
        if target in self._sites:
            return self._sites[target].switch.fault is not None
        if target in self._told:
            return self._told[target].switch.fault is not None
        if target in self.git:
            return self.git[target].switch.fault is not None
        return target in self.names.targets or self._switch(target).fault is not None

    def fingerprint(self) -> str:
        """All outside state that a recovery could change, as canonical JSON: equal texts mean equal states."""
        return fingerprint(self)

    def active_plain(self) -> dict[str, Any]:
        """The faults in force in the shape of JSON."""
        return {target: {"fault": fault.name, **fault.options} for target, fault in self.active.items()}
