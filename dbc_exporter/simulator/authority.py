"""Who may do what: wallets, multisig accounts, sessions and managers' keys, checked by the node against the chain."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from dbc_exporter.simulator import chain as on_chain
from dbc_exporter.simulator.body import leading_int
from dbc_exporter.simulator.protocol import NodeRequest, node_answer
from dbc_exporter.simulator.signatures import base58check, multisig_wallet, public_key, verifies

if TYPE_CHECKING:
    from dbc_exporter.simulator.host import NodeHost


class Role(Enum):
    """In what capacity an accepted caller acts."""

    VERIFIER = "verifier"
    WALLET_RENTER = "wallet renter"
    SESSION_RENTER = "session renter"

    @property
    def is_renter(self) -> bool:
        """Say whether the caller rents the machine."""
        return self is not Role.VERIFIER


@dataclass(frozen=True, slots=True)
class Access:
    """An accepted caller."""

    role: Role
    wallet: str
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused caller; `reason` follows "check authority failed: " in the answer."""

    reason: str

    @property
    def answer(self) -> str:
        """The node's answer."""
        return node_answer(f"check authority failed: {self.reason}", -3)


@dataclass(frozen=True, slots=True)
class _Signer:
    wallet: str
    nonce: str
    multisig: bool = False


class Authority:
    """One process's memory of nonces (lost at its end) and its table of sessions (kept)."""

    def __init__(self, host: NodeHost) -> None:
        self._host = host
        self._nonces: set[str] = set()
        self._session_of: dict[str, str] = {}
        self._owner_of: dict[str, tuple[str, tuple[str, ...]]] = {}

    def started(self) -> None:
        """Forget the nonces, as a new process does."""
        self._nonces.clear()

    def session_id(self, wallet: str) -> str | None:
        """Return the session id this wallet got, if any."""
        return self._session_of.get(wallet)

    async def check(self, request: NodeRequest, machine_id: str) -> Access | Refusal:
        """Decide about a caller; spends the time of the chain calls and consumes the nonce."""
        world = self._host.world
        self._record(request, machine_id)
        if world.chain.outage:
            await self._host.work(self._host.random.uniform(*world.timing.chain_outage_answer))
            return Refusal("query machine_status failed")
        await self._host.work(self._host.random.uniform(*world.timing.authenticated_extra))
        status = world.chain.status(machine_id)
        if status in on_chain.VERIFYING:
            return self._check_verifier(request, machine_id)
        if status in on_chain.ONLINE:
            return Refusal("machine is not be rented")
        if status in on_chain.RENTED:
            return self._check_renter(request, machine_id)
        return Refusal("query machine_status failed")

    def check_manager(self, request: NodeRequest, manager_id: str) -> bool:
        """Say whether a call carries a valid, unused signature of the manager's own key."""
        wallet, nonce = request.text("wallet"), request.text("nonce")
        if wallet != manager_id or not self._signed(wallet, nonce, request.text("sign")):
            return False
        return self._unused(nonce)

    def _check_verifier(self, request: NodeRequest, machine_id: str) -> Access | Refusal:
        signers = self._signers(request)
        if not signers:
            return Refusal("nonce check failed")
        for signer in signers:
            if signer.wallet in self._host.world.chain.machine(machine_id).verifiers:
                return Access(Role.VERIFIER, signer.wallet, signer.nonce)
        return Refusal("not in verify time")

    def _check_renter(self, request: NodeRequest, machine_id: str) -> Access | Refusal:
        owner = self._session_owner(request)
        if owner:
            if self._renting(owner, request, machine_id):
                return Access(Role.SESSION_RENTER, owner)
            return Refusal("machine has already expired")
        signers = self._signers(request)
        if not signers:
            session = request.text("session_id") and request.text("session_id_sign")
            return Refusal("session_id is invalid" if session else "nonce check failed")
        for signer in signers:
            if self._renting(signer.wallet, request, machine_id):
                self._open_session(signer, request)
                return Access(Role.WALLET_RENTER, signer.wallet, signer.nonce)
        return Refusal("wallet not rented")

    def _renting(self, wallet: str, request: NodeRequest, machine_id: str) -> bool:
        wanted = request.text("rent_order") or wallet
        return any(
            order.renter == wallet and order.rent_status in on_chain.LIVE_ORDER and order.id == wanted
            for order in self._host.world.chain.orders(machine_id)
        )

    def _open_session(self, signer: _Signer, request: NodeRequest) -> None:
        wallet = signer.wallet
        if wallet in self._session_of:
            return
        text = str(uuid.UUID(int=self._host.random.getrandbits(128), version=4))
        session_id = self._host.world.ledger.secret(base58check(text))
        self._session_of[wallet] = session_id
        others = _multisig(request).get("wallets", ()) if signer.multisig else ()
        self._owner_of[session_id] = (wallet, (wallet, *others))

    def _session_owner(self, request: NodeRequest) -> str | None:
        session_id = request.text("session_id")
        found = self._owner_of.get(session_id)
        if found is None:
            return None
        sign = request.text("session_id_sign")
        signed = any(self._signed(signer, session_id, sign) for signer in found[1])
        return found[0] if signed else None

    def _signers(self, request: NodeRequest) -> list[_Signer]:
        """Return who signed, multisig accounts first; consumes every validly signed nonce."""
        by_wallet, by_multisig = self._wallet_signer(request), self._multisig_signer(request)
        return [signer for signer in (by_multisig, by_wallet) if signer]

    def _wallet_signer(self, request: NodeRequest) -> _Signer | None:
        wallet, nonce = request.text("wallet"), request.text("nonce")
        if not self._signed(wallet, nonce, request.text("sign")) or not self._unused(nonce):
            return None
        return _Signer(wallet, nonce)

    def _multisig_signer(self, request: NodeRequest) -> _Signer | None:
        account = _multisig(request)
        wallets, signs = account.get("wallets", ()), account.get("signs", ())
        threshold = leading_int(account.get("threshold", ""))
        if not signs or threshold <= 0 or threshold > min(len(wallets), len(signs)):
            return None
        for item in signs:
            if item["wallet"] not in wallets or not self._signed(item["wallet"], item["nonce"], item["sign"]):
                return None
            if not self._unused(item["nonce"]):
                return None
        wallet = multisig_wallet(wallets, threshold)
        return _Signer(wallet, signs[0]["nonce"], multisig=True) if wallet else None

    def _signed(self, wallet: str, message: str, sign: str) -> bool:
        if not wallet or not message or not sign:
            return False
        if not self._host.world.verify_signatures:
            return True
        return verifies(sign, message, public_key(wallet))

    def _unused(self, nonce: str) -> bool:
        if nonce in self._nonces:
            return False
        self._nonces.add(nonce)
        return True

    def _record(self, request: NodeRequest, machine_id: str) -> None:
        wallet = request.text("wallet")
        if not wallet:
            wallet = self._owner_of.get(request.text("session_id"), ("", ()))[0]
        account = _multisig(request)
        if not wallet and account:
            wallet = multisig_wallet(account["wallets"], leading_int(account["threshold"])) or ""
        if not wallet and not request.text("session_id"):
            return
        world = self._host.world
        live = world.chain.has_live_order(machine_id, wallet)
        world.ledger.credentials(machine_id, request.kind, wallet, live_order=live)


def _multisig(request: NodeRequest) -> dict[str, Any]:
    found = request.body.get("multisig_accounts")
    return found if isinstance(found, dict) else {}
