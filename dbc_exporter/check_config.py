"""What `check-config` prints: warnings, what each kind of target allows with its credential, and the pace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dbc_exporter.config.load import Loaded
from dbc_exporter.config.settings import Settings
from dbc_exporter.engine import build_credentials
from dbc_exporter.pace_report import pace_report
from dbc_exporter.targets import Kind, Target

_PUBLIC = {
    Kind.COMPUTE: "presence, configuration, rent orders, base images",
    Kind.MANAGER: "the list of its servers, without their BMC data",
    Kind.SERVER: "presence, and power through its manager",
}
_RENTED = {
    Kind.COMPUTE: "; where an order of ours is live also VMs, disks, snapshots and transfers",
    Kind.SERVER: "; where an order of ours is live also power asked as its renter",
    Kind.MANAGER: "",
}


def report(loaded: Loaded) -> str:
    """Return the text for good settings; with discovery, DBC clients are asked for their node lists.

    Raises `CredentialError` for a secret of the right form that is none.
    """
    build_credentials(loaded.settings)
    lines = [f"warning: {warning}" for warning in loaded.warnings]
    source = loaded.settings.config_file
    lines.append(f"OK: {source or 'settings from flags and environment'}")
    lines.extend(_clients(loaded.settings))
    lines.extend(_targets(loaded.settings, loaded.targets))
    lines += ["", pace_report(loaded.settings, loaded.targets)]
    if loaded.settings.remediation.policy_file is not None:
        lines += ["", *_remediation(loaded)]
    return "\n".join(lines)


def _clients(settings: Settings) -> Iterator[str]:
    if settings.total_shards > 1:
        yield f"shard {settings.shard} of {settings.total_shards}"
    for client in settings.own_clients:
        yield f"client {client.name}: {client.url}"


def _targets(settings: Settings, targets: tuple[Target, ...]) -> Iterator[str]:
    groups = Counter((target.kind, target.credential) for target in targets)
    for (kind, credential), count in groups.items():
        yield f"{count} {kind} {_allowed(settings, kind, credential)}"
    if settings.targets.discovering:
        credential = settings.targets.discover.credential
        yield f"discovered {Kind.COMPUTE} {_allowed(settings, Kind.COMPUTE, credential)}"
        if settings.targets.discover.bare_metal:
            yield f"discovered {Kind.SERVER} {_allowed(settings, Kind.SERVER, credential)}"


def _allowed(settings: Settings, kind: Kind, credential: str | None) -> str:
    if credential is None:
        return f"without credential: {_PUBLIC[kind]}"
    form = settings.credentials[credential].type
    return f"with {form} {credential}: {_PUBLIC[kind]}{_RENTED[kind]}"


def _remediation(loaded: Loaded) -> Iterator[str]:
    """Say what contradicts itself in the policy, the worst case, and what could be done for these targets."""
    from dbc_exporter.remediation import lint, possible  # noqa: PLC0415 - only who remediates pays for it
    from dbc_exporter.remediation.policy_file import load  # noqa: PLC0415

    settings, targets = loaded.settings, loaded.targets
    policy = load(settings.remediation.policy_file or Path())
    every = settings.collectors.by_name()
    said, _ = lint.report(
        policy.policy,
        targets,
        complete=not _more_to_discover(settings, targets),
        intervals={name: one.interval_seconds for name, one in every.items()},
        where=policy.where,
    )
    yield f"remediation: {settings.remediation.policy_file}, mode {policy.policy.mode}"
    yield said
    yield "with mode act:"
    forms = {name: credential.type for name, credential in settings.credentials.items()}
    off = {name for name, one in every.items() if not one.enabled}
    yield from possible.lines(policy.policy, targets, forms, off)
    if _more_to_discover(settings, targets):
        yield "what is discovered: impossible (not_desired): name it in targets, with a desired_state"


def _more_to_discover(settings: Settings, targets: tuple[Target, ...]) -> bool:
    managed = any(target.kind is Kind.MANAGER for target in targets) and settings.targets.discover.bare_metal
    return settings.targets.discovering or managed
