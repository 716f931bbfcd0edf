"""What no single value can tell: floors, names defined elsewhere, files that must be readable, things given twice."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath

from dbc_exporter.config.credentials import Credential, Multisig, Session
from dbc_exporter.config.floors import FLOORS
from dbc_exporter.config.problems import ConfigError, Path, Problem
from dbc_exporter.config.references import Names, check_credential, check_target
from dbc_exporter.config.secrets import webhook_token
from dbc_exporter.config.settings import ClientSettings, Settings
from dbc_exporter.config.ss58 import is_address
from dbc_exporter.targets import Kind
from dbc_exporter.web.live import LiveConfig
from dbc_exporter.web.webconfig import WebConfigError

_NO_ADDRESS = "is no wallet address; write the SS58 text that starts with 5, as the chain shows it"


def problems(settings: Settings, names: Names) -> Iterator[Problem]:
    """Yield what makes the settings unusable. Looks at files; `names` may hold more than the settings do."""
    yield from _clients(settings)
    yield from _shards(settings)
    for name, credential in settings.credentials.items():
        yield from _credential(("credentials", name), credential)
    yield from _targets(settings, names)
    yield from _collectors(settings)
    if settings.web.config_file is not None:
        yield from _web_config(settings.web.config_file)
    if settings.remediation.policy_file is not None:
        yield from _remediation(settings)


def warnings(settings: Settings) -> Iterator[str]:
    """Yield what is allowed but hardly meant."""
    targets = settings.targets
    if not (targets.static or targets.files or targets.discovering):
        yield "targets: nothing is watched; add static targets, files, or set targets.discover.enabled to true"
    for index, record in enumerate(targets.static):
        if record.kind is Kind.SERVER and record.manager is None and record.credential is None:
            yield f"targets.static[{index}]: has no manager, so its power cannot be read until a manager lists it"
    named = {record.credential for record in targets.static} | {targets.discover.credential}
    for name in settings.credentials:
        if name not in named and not targets.files:
            yield f"credentials.{name}: no target uses it"
    yield from _remediation_warnings(settings)


def _remediation_warnings(settings: Settings) -> Iterator[str]:
    given = settings.remediation
    if given.policy_file is None:
        for key in ("kill_file", "webhook_token_file"):
            if getattr(given, key) is not None:
                yield f"remediation.{key}: does nothing without remediation.policy_file"
        return
    if settings.total_shards > 1:
        yield "remediation: does nothing but say what it would do (dry_run): several shards cannot keep one budget"
    if given.webhook_token_file is None and settings.web.config_file is None:
        yield (
            "remediation: takes no alerts, since nobody could say who sends them;"
            " add remediation.webhook_token_file, or users in web.config_file"
        )


def _clients(settings: Settings) -> Iterator[Problem]:
    yield from _twice(settings.clients)
    for index, client in enumerate(settings.clients):
        path: Path = ("clients", index)
        if client.max_in_flight_per_kind > client.max_in_flight:
            text = f"is more than max_in_flight ({client.max_in_flight}); lower it"
            yield Problem((*path, "max_in_flight_per_kind"), text)
        if client.ca_file is None:
            continue
        here = (*path, "ca_file")
        if client.url.startswith("http:"):
            yield Problem(here, "is given, but the url is http; write https or remove the file")
        else:
            yield from _readable(here, client.ca_file) or _certificates(here, client.ca_file)


def _twice(clients: Iterable[ClientSettings]) -> Iterator[Problem]:
    urls: set[str] = set()
    names: set[str] = set()
    for index, client in enumerate(clients):
        if client.url in urls:
            yield Problem(("clients", index, "url"), "is that of another client too; remove one of the two")
        elif client.name in names:
            yield Problem(("clients", index, "name"), "is that of another client too; give each its own name")
        urls.add(client.url)
        names.add(client.name)


def _shards(settings: Settings) -> Iterator[Problem]:
    """Two exporters must not ask one client; what can be seen from here is that each client has one shard."""
    total = settings.total_shards
    numbers = f"shards are numbered 0 to {total - 1}, by total_shards"
    if settings.shard >= total:
        yield Problem(("shard",), f"is {settings.shard}, but {numbers}; correct one of the two")
    for index, client in enumerate(settings.clients):
        path: Path = ("clients", index, "shard")
        if client.shard is not None and client.shard >= total:
            yield Problem(path, f"is {client.shard}, but {numbers}; correct one of the two")
        elif client.shard is None and total > 1:
            yield Problem(
                path, f"is missing; add it, since each DBC client belongs to one of the {total} shards"
            )
    if settings.clients and not settings.own_clients and settings.shard < total:
        yield Problem(("clients",), f"none is of shard {settings.shard}; give it one that no other shard has")


def _remediation(settings: Settings) -> Iterator[Problem]:
    from dbc_exporter.remediation.lint import Severity, lint  # noqa: PLC0415 - nothing of it is loaded unasked
    from dbc_exporter.remediation.policy_file import load  # noqa: PLC0415

    path: Path = ("remediation", "policy_file")
    if settings.storage.path is None:
        yield Problem(path, "needs storage.path, where the journal of what was done is kept; set it")
    token = settings.remediation.webhook_token_file
    if token is not None:
        yield from _token(("remediation", "webhook_token_file"), token)
    try:
        loaded = load(settings.remediation.policy_file or FilePath())
    except ConfigError as error:
        yield from error.problems
        return
    for finding in lint(loaded.policy):
        if finding.severity is Severity.ERROR:
            yield Problem(finding.at, finding.text, loaded.where(finding.at))


def _token(path: Path, file: FilePath) -> Iterator[Problem]:
    try:
        webhook_token(file)
    except ConfigError as error:
        yield Problem(path, error.problems[0].text)


def _web_config(file: FilePath) -> Iterator[Problem]:
    try:
        LiveConfig(file)
    except WebConfigError as error:
        for problem in error.problems:
            yield Problem((), problem, str(file))


def _readable(path: Path, file: FilePath) -> list[Problem]:
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        return [
            Problem(path, f"file {str(file)!r} cannot be read: {error.strerror}; check path and permissions")
        ]
    return []


def _certificates(path: Path, file: FilePath) -> list[Problem]:
    try:
        ssl.create_default_context(cafile=str(file))
    except (ssl.SSLError, OSError):
        return [
            Problem(path, f"file {str(file)!r} holds no PEM certificates; name the CA's certificate file")
        ]
    return []


def _credential(path: Path, credential: Credential) -> Iterator[Problem]:
    if (
        isinstance(credential, Session)
        and credential.wallet is not None
        and not is_address(credential.wallet)
    ):
        yield Problem((*path, "wallet"), _NO_ADDRESS)
    if not isinstance(credential, Multisig):
        return
    for index, wallet in enumerate(credential.wallets):
        if not is_address(wallet):
            yield Problem((*path, "wallets", index), _NO_ADDRESS)
        elif wallet in credential.wallets[:index]:
            yield Problem((*path, "wallets", index), "is listed twice; keep one of the two")
    if credential.threshold > len(credential.wallets):
        yield Problem(
            (*path, "threshold"), f"is more than the account's {len(credential.wallets)} wallets; lower it"
        )
    elif credential.threshold > len(credential.signers):
        text = f"needs {credential.threshold} signers, but {len(credential.signers)} are given; add signers"
        yield Problem((*path, "signers"), text)


def _targets(settings: Settings, names: Names) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, record in enumerate(settings.targets.static):
        path: Path = ("targets", "static", index)
        if record.id in seen:
            yield Problem((*path, "id"), "is that of an earlier target too; keep one of the two")
        seen.add(record.id)
        for problem in check_target(record.target(record.id), names):
            yield Problem(path + problem.path, problem.text)
    credential = settings.targets.discover.credential
    if credential is not None:
        for problem in check_credential(credential, Kind.COMPUTE, names):
            yield Problem(("targets", "discover", *problem.path), problem.text)


def _collectors(settings: Settings) -> Iterator[Problem]:
    for name, collector in settings.collectors.by_name().items():
        floor, reason = FLOORS[name]
        if collector.interval_seconds < floor:
            text = f"is {collector.interval_seconds:g}s, but must be at least {floor:g}s: {reason}"
            yield Problem(("collectors", name, "interval_seconds"), text)
