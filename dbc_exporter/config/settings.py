"""The one tree of settings. Its descriptions, defaults and bounds also make the flags and docs/configuration.md.

Values alone are judged here; what needs a look elsewhere (files, names defined in other sections, floors of intervals)
is judged by `checks`, so that simulations may build trees no operator should.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dbc_exporter.config.credentials import Credential
from dbc_exporter.config.records import TargetRecord
from dbc_exporter.config.section import (
    Duration,
    ExternalUrl,
    LabelName,
    ListenAddresses,
    Name,
    RoutePrefix,
    Section,
    TelemetryPath,
    Url,
    wrong,
)

ENV_PREFIX = "DBC_EXPORTER_"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class ClientSettings(Section):
    """A DBC client node whose HTTP API we ask. One client belongs to one exporter process."""

    name: Name = Field(
        description="name in labels and logs", json_schema_extra={"default": "host:port of the url"}
    )
    url: Url = Field(description="address of its API: http://host:port or https://host:port")
    ca_file: Path | None = Field(
        default=None, description="PEM file of the CA to verify an https client with"
    )
    proxy: Url | None = Field(
        default=None, description="HTTP proxy to go through; the environment's proxies are never used"
    )
    max_in_flight: int = Field(default=48, ge=1, le=512, description="requests in flight at once")
    max_in_flight_per_kind: int = Field(
        default=16, ge=1, le=256, description="requests of one kind in flight at once"
    )
    unanswered_ceiling: int = Field(
        default=512,
        ge=1,
        le=1000,
        description="lost sessions (of the server's 1024) at which we stop forwarding",
    )
    deadline_seconds: Duration = Field(
        default=37.0, ge=35, le=40, description="our own deadline of a request; the server's is 30 s"
    )
    shard: int | None = Field(
        default=None,
        ge=0,
        description="shard that it belongs to: needed once there are several, and then no other asks it",
    )

    @model_validator(mode="before")
    @classmethod
    def _named_by_address(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("name") is None and isinstance(data.get("url"), str):
            return {**data, "name": address(data["url"]) or "client"}
        return data


def address(url: str) -> str | None:
    """Return `host:port` of a URL, or `None` when it has none (the URL's own check says so)."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}"


class DiscoverSettings(Section):
    """Targets taken from the DBC clients' own lists."""

    enabled: bool | None = Field(
        default=None,
        description="whether the clients' own lists make targets",
        json_schema_extra={"default": "true when neither static targets nor files are given"},
    )
    include: tuple[str, ...] = Field(default=(), description="shell patterns on id or name; none: everything")
    exclude: tuple[str, ...] = Field(
        default=(), description="shell patterns on id or name; stronger than include"
    )
    credential: str | None = Field(
        default=None, description="name of an entry of `credentials`, for all that is discovered"
    )
    labels: dict[LabelName, str] = Field(default={}, description="labels for all that is discovered")
    forget_after_seconds: Duration = Field(
        default=86400.0,
        description="how long a discovered compute node that left all lists stays a target, shown as not visible; "
        "alerts about a dead one last as long",
    )
    bare_metal: bool = Field(
        default=True,
        description="also bare-metal servers: those listed by clients (when enabled) and by configured managers",
    )


class TargetsSettings(Section):
    """Who is watched."""

    static: tuple[TargetRecord, ...] = Field(default=(), description="target records")
    files: tuple[str, ...] = Field(
        default=(), description="YAML or JSON files of target records; * and ? match many"
    )
    discover: DiscoverSettings = Field(default=DiscoverSettings(), description="the DBC clients' own lists")

    @property
    def discovering(self) -> bool:
        """Whether the clients' own lists make targets."""
        enabled = self.discover.enabled
        return not (self.static or self.files) if enabled is None else enabled


class CollectorSettings(Section):
    """One source of facts."""

    enabled: bool = Field(default=True, description="whether it runs")
    interval_seconds: Duration = Field(description="time between two polls of one target")


def _collector(interval: float, what: str, *, enabled: bool = True) -> Any:
    return Field(default=CollectorSettings(enabled=enabled, interval_seconds=interval), description=what)


class CollectorsSettings(Section):
    """The sources of facts. What a target has no credential for is not polled, and said so as state."""

    client: CollectorSettings = _collector(
        15, "DBC clients: version, visible nodes, peers (from the client's memory)"
    )
    node: CollectorSettings = _collector(60, "configuration and load of compute nodes")
    orders: CollectorSettings = _collector(300, "rent orders a node knows")
    tasks: CollectorSettings = _collector(300, "our VMs on a node, by state (authenticated)")
    vms: CollectorSettings = _collector(900, "each VM's details (authenticated)")
    disks: CollectorSettings = _collector(3600, "each VM's disks (authenticated)")
    snapshots: CollectorSettings = _collector(3600, "each VM's snapshots (authenticated)")
    images: CollectorSettings = _collector(900, "base images on a node")
    centre_images: CollectorSettings = _collector(
        3600,
        "images of image centres; off by default, because the client's API freezes meanwhile",
        enabled=False,
    )
    transfers: CollectorSettings = _collector(
        60, "progress of the image files named in `transfers` (authenticated)"
    )
    lan: CollectorSettings = _collector(300, "LAN networks (from the client's memory)")
    bare_metal: CollectorSettings = _collector(300, "the servers a bare-metal manager lists")
    power: CollectorSettings = _collector(300, "power of bare-metal servers, through their manager")

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        """Let `{enabled: false}` alone keep the collector's own default interval."""
        if not isinstance(data, dict):
            return data
        return {
            name: {**cls.model_fields[name].default.model_dump(), **given}
            if name in cls.model_fields and isinstance(given, dict)
            else given
            for name, given in data.items()
        }

    def by_name(self) -> dict[str, CollectorSettings]:
        """Return every collector's settings by its name."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class WebSettings(Section):
    """Our own pages."""

    listen_address: ListenAddresses = Field(
        default=(":10177",),
        description="addresses to serve on, or one as text: host:port, :port, [IPv6 address]:port, unix:///path",
    )
    config_file: Path | None = Field(
        default=None, description="exporter-toolkit's web configuration file: TLS and users"
    )
    telemetry_path: TelemetryPath = Field(default="/metrics", description="path of the metrics")
    external_url: ExternalUrl | None = Field(
        default=None,
        description="URL under which the exporter is reached from outside, as by a reverse proxy",
    )
    route_prefix: RoutePrefix | None = Field(
        default=None,
        description="path before every path of the exporter; / where a reverse proxy takes the external path away",
        json_schema_extra={"default": "path of `external_url`"},
    )

    @property
    def prefix(self) -> str:
        """The path before all of ours: `/dbc`, or nothing."""
        return (self.route_prefix or urlsplit(self.external_url or "").path).rstrip("/")


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a log line is written."""

    LOGFMT = "logfmt"
    JSON = "json"


class LogSettings(Section):
    """Logs, on standard error."""

    level: LogLevel = Field(default=LogLevel.INFO, description="least severe level that is logged")
    format: LogFormat = Field(default=LogFormat.LOGFMT, description="one line per event, as logfmt or JSON")


class StorageSettings(Section):
    """State that survives a restart."""

    path: Path | None = Field(default=None, description="directory for the state file; none: in memory only")


class RemediationSettings(Section):
    """Restarting VMs and powering servers on. Without a policy file none of it is loaded."""

    policy_file: Path | None = Field(
        default=None, description="YAML file of the policy (see docs/remediation.md); none: no remediation"
    )
    kill_file: Path | None = Field(
        default=None, description="while a file of this name exists, nothing is done"
    )
    webhook_token_file: Path | None = Field(
        default=None,
        description="file with the bearer token of Alertmanager's webhook; none: a user of web.config_file",
    )


class FreshnessSettings(Section):
    """How long a value may be shown without news."""

    withdraw_after_intervals: float = Field(
        default=3.0,
        ge=1,
        le=100,
        allow_inf_nan=False,
        description="intervals without success after which values are withdrawn",
    )
    tombstone_seconds: Duration = Field(
        default=86400.0, description="how long a target that left is still shown as not present"
    )


class SeriesBudgetSettings(Section):
    """Alarms before a family of series grows out of hand; nothing is ever dropped."""

    per_family: int = Field(
        default=500_000, ge=1, description="series of one family over which the alarm is raised"
    )
    per_target: int = Field(
        default=5_000, ge=1, description="series of one target over which the alarm is raised"
    )


class Settings(BaseSettings):
    """All settings, frozen. Build it with `load`; constructing it directly reads nothing but its arguments."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    clients: tuple[ClientSettings, ...] = Field(
        default=(), description="DBC client nodes to ask; two or more share the load"
    )
    credentials: dict[str, Credential] = Field(
        default={}, description="who we are towards DBC, by names of your choice"
    )
    targets: TargetsSettings = Field(default=TargetsSettings(), description="who is watched")
    shard: int = Field(default=0, ge=0, description="which of the shards this exporter is, counted from 0")
    total_shards: int = Field(
        default=1, ge=1, le=100, description="exporters that share the targets (see docs/scaling.md)"
    )
    collectors: CollectorsSettings = Field(
        default=CollectorsSettings(), description="what is collected, and how often"
    )
    web: WebSettings = Field(default=WebSettings(), description="our own pages")
    log: LogSettings = Field(default=LogSettings(), description="logs, on standard error")
    storage: StorageSettings = Field(default=StorageSettings(), description="state that survives a restart")
    remediation: RemediationSettings = Field(
        default=RemediationSettings(), description="restarting VMs and powering servers on"
    )
    freshness: FreshnessSettings = Field(
        default=FreshnessSettings(), description="how long a value is shown without news"
    )
    series_budget: SeriesBudgetSettings = Field(
        default=SeriesBudgetSettings(), description="alarms on the number of series"
    )
    node_timezone: ZoneInfo | None = Field(
        default=None,
        description="IANA name of the time zone the nodes' clocks run in; none: creation times are not converted",
    )

    _config_file: Path | None = PrivateAttr(None)

    @field_validator("node_timezone", mode="before")
    @classmethod
    def _zone(cls, value: Any) -> Any:
        if value is None or isinstance(value, ZoneInfo):
            return value
        try:
            return ZoneInfo(value)
        except (TypeError, ValueError, OSError, LookupError):
            raise wrong(
                "is no time zone this system knows; write an IANA name such as Asia/Shanghai (and install tzdata)"
            ) from None

    @property
    def own_clients(self) -> tuple[ClientSettings, ...]:
        """The DBC clients of this shard: no other asks them."""
        if self.total_shards == 1:
            return self.clients
        return tuple(client for client in self.clients if client.shard == self.shard)

    @property
    def config_file(self) -> Path | None:
        """The file the settings came from, if any."""
        return self._config_file

    def with_file(self, file: Path | None) -> Settings:
        """Return the same settings, knowing the file they came from."""
        copy = self.model_copy()
        copy._config_file = file  # noqa: SLF001 (a copy of our own)
        return copy

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the hook's signature is pydantic-settings')
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing by itself: `load` merges file, environment and flags."""
        return (init_settings,)
