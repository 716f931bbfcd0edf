"""Every target has one shard, whoever is asked, and few change it when the number of shards changes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.sharding import Share, ranked, share
from dbc_exporter.targets import Kind, Target

NODES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(3000)]
FLEET = [Target(node) for node in NODES]
MANAGERS = [Target(node, Kind.MANAGER) for node in NODES[:20]]

totals = st.integers(2, 100)
fleets = st.lists(st.sampled_from(NODES), unique=True, max_size=40).map(
    lambda ids: [Target(id_) for id_ in ids]
)


def shares(targets: list[Target], total: int, configured: list[Target] | None = None) -> list[Share]:
    return [share(targets, configured or [], shard, total) for shard in range(total)]


def test_one_shard_watches_everything() -> None:
    assert share(FLEET, [], 0, 1) == Share(tuple(FLEET), {}, {})


@given(fleets, totals)
def test_every_target_is_watched_once_and_vouched_for_once_by_another(
    targets: list[Target], total: int
) -> None:
    parts = shares(targets, total)
    owners = {target.id: number for number, part in enumerate(parts) for target in part.mine}
    assert sorted(target.id for part in parts for target in part.mine) == sorted(t.id for t in targets)
    assert sorted(node for part in parts for node in part.vouched) == sorted(t.id for t in targets)
    for number, part in enumerate(parts):
        assert part.elsewhere == {node: owner for node, owner in owners.items() if owner != number}
        assert part.vouched.items() <= part.elsewhere.items()


@given(st.sampled_from(NODES), totals)
def test_one_shard_more_moves_a_target_to_the_new_one_or_not_at_all(node: str, total: int) -> None:
    assert ranked(node, total + 1)[0] in (ranked(node, total)[0], total)


def test_shards_are_even() -> None:
    counts = Counter(ranked(node, 3)[0] for node in NODES)
    assert min(counts.values()) > 900
    vouchers = Counter(ranked(node, 3) for node in NODES)
    assert min(vouchers.values()) > 400


def test_another_process_gives_the_same_answer() -> None:
    code = "import sys; from dbc_exporter.sharding import ranked; print([ranked(n, 7) for n in sys.argv[1:]])"
    said = subprocess.run(
        [sys.executable, "-c", code, *NODES[:50]], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str([ranked(node, 7) for node in NODES[:50]])


def test_the_answer_is_the_same_in_every_release() -> None:
    assert [ranked(digit * 64, 5) for digit in "0123456789abcdef"] == [(1, 0), (2, 4), (2, 0), (2, 3), (2, 0), (4, 1), (4, 2), (1, 2), (4, 1), (4, 2), (1, 0), (0, 4), (2, 3), (0, 4), (1, 2), (2, 4)]  # fmt: skip


def managed(total: int) -> list[Share]:
    """Let each manager's servers be known to its own shard alone, as they are."""
    parts = []
    for shard in range(total):
        servers = [
            Target(
                NODES[100 + number],
                Kind.SERVER,
                manager=manager.id if ranked(manager.id, total)[0] == shard else None,
            )
            for number, manager in enumerate(MANAGERS)
        ]
        parts.append(share([*MANAGERS, *servers], MANAGERS, shard, total))
    return parts


def test_a_server_that_is_discovered_is_watched_by_the_shard_of_its_manager_alone() -> None:
    for part in managed(3):
        managers = {target.id for target in part.mine if target.kind is Kind.MANAGER}
        servers = [target for target in part.mine if target.kind is Kind.SERVER]
        assert sorted(server.manager or "" for server in servers) == sorted(managers)
    assert sum(len(part.mine) for part in managed(3)) == 2 * len(MANAGERS)


def test_a_server_whose_record_names_its_manager_goes_with_it() -> None:
    servers = [Target(NODES[100 + n], Kind.SERVER, manager=m.id) for n, m in enumerate(MANAGERS)]
    records = [*MANAGERS, *servers]
    for part in shares(records, 3, records):
        ids = {target.id for target in part.mine}
        assert all(server.manager in ids for server in part.mine if server.kind is Kind.SERVER)


def test_a_server_whose_record_names_no_manager_stays_where_it_is_when_one_lists_it() -> None:
    record = Target(NODES[100], Kind.SERVER, credential="renter")
    abroad = next(one.id for one in MANAGERS if ranked(one.id, 3)[0] != ranked(record.id, 3)[0])
    listed = Target(record.id, Kind.SERVER, credential="renter", manager=abroad)
    for shard in range(3):
        parts = [share([seen], [*MANAGERS, record], shard, 3) for seen in (record, listed)]
        assert [bool(part.mine) for part in parts] == [ranked(record.id, 3)[0] == shard] * 2


def test_servers_that_are_listed_are_watched_where_no_manager_is_known_to_anybody() -> None:
    servers = [Target(node, Kind.SERVER) for node in NODES[:100]]
    assert sum(len(part.mine) for part in shares(servers, 3)) == 100
