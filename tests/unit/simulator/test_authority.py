from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from substrateinterface import Keypair

from dbc_exporter.simulator.chain import Order
from dbc_exporter.simulator.signatures import multisig_wallet
from dbc_exporter.simulator.virtual import LoopClock
from tests.unit.simulator.lab import A, Answer, B, Lab
from tests.virtual import virtually

ALICE, BOB, CHARLIE = (Keypair.create_from_uri(f"//{name}") for name in ("Alice", "Bob", "Charlie"))
REFUSED = "check authority failed: "
ALL = tuple(range(8))


def sign(key: Keypair, text: str) -> str:
    return str(key.sign(text.encode()).hex())


def wallet(key: Keypair, nonce: str) -> dict[str, str]:
    return {"wallet": key.ss58_address, "nonce": nonce, "sign": sign(key, nonce)}


def multisig(keys: list[Keypair], signers: list[Keypair], threshold: str, nonce: str) -> dict[str, Any]:
    signs = [wallet(key, f"{nonce}-{index}") for index, key in enumerate(signers)]
    accounts = {"wallets": [key.ss58_address for key in keys], "threshold": threshold, "signs": signs}
    return {"multisig_accounts": accounts}


def rented_by_alice(test: Callable[[Lab], Awaitable[None]]) -> None:
    async def run(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.verify_signatures = True
        for node_id in (A, B):
            lab.world.chain.machine(node_id).orders.clear()
            lab.world.chain.rent(node_id, Order(ALICE.ss58_address, ALICE.ss58_address, gpu_index=ALL))
        await test(lab)

    virtually(run)


async def tasks(lab: Lab, node_id: str = A, **credentials: Any) -> Answer:
    return await lab.post("/tasks", [node_id], **credentials)


def test_a_renters_signature_is_accepted_with_and_without_0x() -> None:
    async def test(lab: Lab) -> None:
        assert (await tasks(lab, **wallet(ALICE, "one"))).told == (200, 0, [])
        prefixed = wallet(ALICE, "two")
        prefixed["sign"] = "0x" + prefixed["sign"]
        assert (await tasks(lab, **prefixed)).errcode == 0

    rented_by_alice(test)


def test_a_nonce_works_once_per_node_and_process_for_any_call() -> None:
    async def test(lab: Lab) -> None:
        used = wallet(ALICE, "once")
        assert (await tasks(lab, **used)).errcode == 0
        replay = await lab.post("/tasks/start/x", [A], **used)
        assert replay.told == (200, -3, REFUSED + "nonce check failed")
        assert (await tasks(lab, B, **used)).errcode == 0
        lab.world.hosts[A].restart()
        await asyncio.sleep(12)
        assert (await tasks(lab, **used)).errcode == 0
        assert (await tasks(lab, **used)).errcode == -3

    rented_by_alice(test)


def test_a_nonce_is_used_up_only_by_its_valid_signature() -> None:
    async def test(lab: Lab) -> None:
        forged = wallet(ALICE, "n") | {"sign": "00" * 64}
        assert (await tasks(lab, **forged)).message == REFUSED + "nonce check failed"
        assert (await tasks(lab, **wallet(ALICE, "n"))).errcode == 0

    rented_by_alice(test)


def test_a_request_sent_to_a_frozen_node_uses_its_nonce_up_when_the_node_thaws() -> None:
    async def test(lab: Lab) -> None:
        used = wallet(ALICE, "late")
        lab.world.hosts[A].freeze()
        assert (await tasks(lab, **used)).status == 500
        lab.world.hosts[A].thaw()
        await asyncio.sleep(11)
        assert (await tasks(lab, **used)).message == REFUSED + "nonce check failed"

    rented_by_alice(test)


def test_a_stranger_is_refused_and_so_is_the_bare_public_key_of_the_renter() -> None:
    async def test(lab: Lab) -> None:
        assert (await tasks(lab, **wallet(BOB, "b"))).message == REFUSED + "wallet not rented"
        by_key = wallet(ALICE, "k") | {"wallet": "0x" + ALICE.public_key.hex()}
        assert (await tasks(lab, **by_key)).message == REFUSED + "wallet not rented"

    rented_by_alice(test)


def test_a_session_is_one_per_wallet_and_node_survives_restarts_and_is_reusable() -> None:
    async def test(lab: Lab) -> None:
        first = await lab.post("/mining_nodes/session_id", [A], **wallet(ALICE, "1"))
        again = await lab.post("/mining_nodes/session_id", [A], **wallet(ALICE, "2"))
        other = await lab.post("/mining_nodes/session_id", [B], **wallet(ALICE, "3"))
        session_id = first.message["session_id"]
        assert first.message == again.message != other.message
        assert len(session_id) == 55
        assert session_id in lab.world.ledger.secrets
        session = {"session_id": session_id, "session_id_sign": sign(ALICE, session_id)}
        lab.world.hosts[A].restart()
        await asyncio.sleep(12)
        for _ in range(2):
            assert (await tasks(lab, **session)).errcode == 0

    rented_by_alice(test)


def test_a_session_is_refused_when_unknown_wrongly_signed_or_after_the_rental() -> None:
    async def test(lab: Lab) -> None:
        told = await lab.post("/mining_nodes/session_id", [A], **wallet(ALICE, "1"))
        session_id = told.message["session_id"]
        invalid = REFUSED + "session_id is invalid"
        unknown = {"session_id": "x", "session_id_sign": "y"}
        assert (await tasks(lab, **unknown)).message == invalid
        forged = {"session_id": session_id, "session_id_sign": sign(BOB, session_id)}
        assert (await tasks(lab, **forged)).message == invalid
        lab.world.chain.orders(A)[0].rent_status = "rentExpired"
        session = {"session_id": session_id, "session_id_sign": sign(ALICE, session_id)}
        assert (await tasks(lab, **session)).message == REFUSED + "machine has already expired"

    rented_by_alice(test)


def test_a_multisig_account_is_accepted_with_enough_signatures_of_its_members() -> None:
    async def test(lab: Lab) -> None:
        keys = [ALICE, BOB, CHARLIE]
        account = multisig_wallet([key.ss58_address for key in keys], 2)
        assert account
        lab.world.chain.rent(A, Order(account, account, gpu_index=ALL))
        assert (await tasks(lab, **multisig(keys, [BOB, CHARLIE], "2", "m"))).errcode == 0
        assert (await tasks(lab, **multisig(keys, [BOB, CHARLIE], "2", "m"))).errcode == -3
        too_few = await tasks(lab, **multisig(keys, [BOB], "2", "f"))
        assert too_few.told == (400, -25, "wallet_sign and multisig_wallets all invalid")
        told = await lab.post("/mining_nodes/session_id", [A], **multisig(keys, [ALICE, BOB], "2", "s"))
        session_id = told.message["session_id"]
        by_member = {"session_id": session_id, "session_id_sign": sign(CHARLIE, session_id)}
        assert (await tasks(lab, **by_member)).errcode == 0

    rented_by_alice(test)


def test_the_address_of_a_multisig_account_is_the_chains() -> None:
    keys = [ALICE, BOB, CHARLIE]
    assert multisig_wallet([key.ss58_address for key in keys], 2) == (
        "5DjYJStmdZ2rcqXbXGX7TW85JsrW6uG4y9MUcLq2BoPMpRA7"
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("online", "machine is not be rented"),
        ("waitingFulfill", "machine is not be rented"),
        ("committeeVerifying", "not in verify time"),
        ("stakerReportOffline", "query machine_status failed"),
        ("", "query machine_status failed"),
    ],
)
def test_the_machines_status_on_the_chain_decides(status: str, reason: str) -> None:
    async def test(lab: Lab) -> None:
        lab.world.chain.machine(A).status = status
        assert (await tasks(lab, **wallet(ALICE, "n"))).message == REFUSED + reason

    rented_by_alice(test)


def test_a_verifier_in_his_window_may_list_but_not_touch_disks() -> None:
    async def test(lab: Lab) -> None:
        lab.world.chain.machine(A).status = "committeeVerifying"
        lab.world.chain.machine(A).verifiers.add(BOB.ss58_address)
        assert (await tasks(lab, **wallet(BOB, "1"))).errcode == 0
        assert (await lab.post("/disk/list/x", [A], **wallet(BOB, "2"))).told == (200, -3, REFUSED)
        told = await lab.post("/mining_nodes/session_id", [A], **wallet(BOB, "3"))
        assert told.told == (200, -3, "check authority failed")

    rented_by_alice(test)


def test_rent_order_names_the_order_a_call_is_made_under() -> None:
    async def test(lab: Lab) -> None:
        lab.world.chain.rent(A, Order("101", ALICE.ss58_address, gpu_index=(0,)))
        assert (await tasks(lab, rent_order="101", **wallet(ALICE, "1"))).errcode == 0
        assert (
            await tasks(lab, rent_order="7", **wallet(ALICE, "2"))
        ).message == REFUSED + "wallet not rented"

    rented_by_alice(test)


def test_while_the_chain_is_silent_an_authenticated_call_blocks_its_node_beyond_the_timeout() -> None:
    async def test(lab: Lab) -> None:
        lab.world.chain.outage = True
        refused = asyncio.create_task(tasks(lab, **wallet(ALICE, "n")))
        await asyncio.sleep(1)
        behind = await lab.post("/lan", [A])
        assert behind.told == (500, -1, "list local area network timeout")
        assert (await refused).told == (500, -1, "list task timeout")
        await asyncio.sleep(30)
        lab.world.chain.outage = False
        assert (await tasks(lab, **wallet(ALICE, "n"))).errcode == 0

    rented_by_alice(test)


def test_the_ledger_says_of_every_signed_request_whether_its_wallet_had_a_live_order() -> None:
    async def test(lab: Lab) -> None:
        await tasks(lab, **wallet(ALICE, "1"))
        await tasks(lab, **wallet(BOB, "2"))
        await lab.post("/mining_nodes", [A])
        noted = [(entry.kind, entry.wallet, entry.live_order) for entry in lab.world.ledger.authenticated]
        assert noted == [("list task", ALICE.ss58_address, True), ("list task", BOB.ss58_address, False)]
        assert lab.world.ledger.received["query node info", A] == 1

    rented_by_alice(test)
