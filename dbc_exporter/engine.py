"""The polling engine as the settings describe it: transports, clients, credentials, poller. Replaced whole on reload."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pydantic import SecretStr

from dbc_exporter.assemble import build_poller
from dbc_exporter.clock import Clock
from dbc_exporter.config import credentials as written
from dbc_exporter.config.settings import ClientSettings, Settings
from dbc_exporter.dbc.authority import Credential, MultisigSigner, SessionCredential, WalletSigner
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.gate import Gate
from dbc_exporter.dbc.late import MOST_LATE
from dbc_exporter.dbc.transport import HttpTransport
from dbc_exporter.instruments import Instruments
from dbc_exporter.metrics.store import Store
from dbc_exporter.poller import Poller

_BUILT = frozenset(
    {"name", "transport", "gate", "clock", "observer", "deadline_seconds", "unanswered_ceiling", "patience"}
    | {"on_listing", "_late", "_look"}
)
_CARRIED = tuple(
    field.name for field in fields(DbcClient) if field.name not in _BUILT
)  # what a client has learnt


@dataclass(slots=True)
class Engine:
    """A running set of clients and its poller, for one state of the settings."""

    settings: Settings
    poller: Poller
    urls: Mapping[str, str]

    @property
    def clients(self) -> list[DbcClient]:
        """Return the DBC clients."""
        return list(self.poller.pool.clients)

    def take_over(self, old: Engine) -> None:
        """Know what a stopped engine knew of the clients that are the same, and of the nodes; call before polling."""
        known = {client.name: client for client in old.clients}
        for client in self.clients:
            if self.urls[client.name] == old.urls.get(client.name):
                for name in _CARRIED:
                    setattr(client, name, getattr(known[client.name], name))
        self.poller.take_over(old.poller)

    async def stop(self) -> None:
        """Stop polling and close all connections."""
        await self.poller.stop()
        for client in self.clients:
            await client.aclose()


def build_engine(
    settings: Settings, *, store: Store, clock: Clock, instruments: Instruments, unanswered: Mapping[str, int]
) -> Engine:
    """Build an engine. `unanswered` carries each client's lost sessions over, by name.

    Raises `CredentialError` when a secret is none.
    """
    busy: set[str] = set()
    clients = [
        DbcClient(
            client.name,
            transport_for(client),
            Gate(clock, busy, client.max_in_flight, client.max_in_flight_per_kind),
            clock,
            instruments,
            deadline_seconds=client.deadline_seconds,
            unanswered_ceiling=client.unanswered_ceiling,
            unanswered=unanswered.get(client.name, 0),
        )
        for client in settings.own_clients
    ]
    intervals = {
        name: collector.interval_seconds
        for name, collector in settings.collectors.by_name().items()
        if collector.enabled
    }
    poller = build_poller(
        clients, build_credentials(settings), intervals, store=store, clock=clock, counters=instruments
    )
    return Engine(settings, poller, {client.name: str(client.url) for client in settings.own_clients})


def build_credentials(settings: Settings) -> dict[str, Credential]:
    """Build what signs, by name. A manager's key is left out: nothing the exporter does needs it.

    Raises `CredentialError`.
    """
    built = {name: _credential(name, value) for name, value in settings.credentials.items()}
    return {name: credential for name, credential in built.items() if credential is not None}


def _credential(name: str, value: Any) -> Credential | None:
    if isinstance(value, written.Wallet):
        return WalletSigner(name, _secret(value))
    if isinstance(value, written.Multisig):
        return MultisigSigner(name, value.wallets, value.threshold, [_secret(keys) for keys in value.signers])
    if isinstance(value, written.Session) and value.session_id and value.session_sign:
        return SessionCredential(name, value.session_id, value.session_sign, wallet=value.wallet)
    return None


def _secret(keys: written.Keys) -> SecretStr:
    return keys.seed or keys.mnemonic or keys.uri or SecretStr("")


def transport_for(client: ClientSettings) -> HttpTransport:
    """Return the transport to one DBC client."""
    verify: ssl.SSLContext | bool = True
    if client.ca_file is not None:
        verify = ssl.create_default_context(cafile=str(client.ca_file))
    return HttpTransport(
        str(client.url), pool_size=client.max_in_flight + MOST_LATE + 2, verify=verify, proxy=client.proxy
    )
