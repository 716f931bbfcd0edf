"""The inventory: configured, from files, from lists; nobody leaves because nobody could look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from dbc_exporter.config.settings import Settings
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.patience import Patience
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import BareMetalList, BareMetalServer
from dbc_exporter.metrics.exposition import Exposition
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.poller import Poller
from dbc_exporter.sharding import ranked
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.targets import Kind, Target
from dbc_exporter.watching import Watching
from tests.unit.dbc.scripted import HTML, A, B, C, Scripted, client_of, config
from tests.virtual import virtually

SETTLE = Patience().settle
MANAGER = "e" * 64


class Case:
    """A watched inventory over two scripted clients."""

    def __init__(self, clock: LoopClock, targets: dict[str, Any], shard: int = 0, total: int = 1) -> None:
        self.clock = clock
        self.transports = [Scripted(clock, {A: config, B: config}) for _ in range(2)]
        self.clients = [client_of(one, f"client-{n}") for n, one in enumerate(self.transports)]
        self.store = Store(clock)
        self.poller = Poller(Pool(self.clients, clock), self.store, clock, [], [])
        self.be_shard(shard, total, **targets)

    def be_shard(self, shard: int, total: int, **targets: Any) -> None:
        """Watch the part of one shard, as after a start or a reload."""
        self.settings = Settings.model_validate({"targets": targets, "shard": shard, "total_shards": total})
        self.watching = Watching(self.settings, self.poller, self.store)

    async def look(self, *numbers: int) -> None:
        """Let these clients (all, if none is named) be asked, then the inventory be made anew."""
        for number in numbers or range(len(self.clients)):
            try:
                await self.clients[number].refresh()
            except DbcError:
                continue
        self.watching.update()

    def ids(self) -> set[str]:
        return {target.id for target in self.poller.targets}


def played(story: Callable[[Case], Awaitable[None]], **targets: Any) -> None:
    async def play(clock: LoopClock) -> None:
        case = Case(clock, targets)
        await story(case)

    virtually(play)


def test_what_is_listed_is_watched_from_the_first_look() -> None:
    async def story(case: Case) -> None:
        case.watching.update()
        assert case.ids() == set()
        await case.look(0)
        assert case.ids() == {A, B}

    played(story)


def test_who_joins_is_watched_at_once_and_who_leaves_only_leaves_a_settled_list() -> None:
    async def story(case: Case) -> None:
        await case.look()
        for transport in case.transports:
            transport.nodes = {A: config, C: config}
        await case.look()
        assert case.ids() == {A, B, C}
        await asyncio.sleep(SETTLE)
        await case.look()
        assert case.ids() == {A, C}

    played(story)


def test_a_client_that_cannot_be_asked_takes_nobody_away() -> None:
    async def story(case: Case) -> None:
        await case.look()
        await asyncio.sleep(SETTLE)
        await case.look()
        for transport in case.transports:
            transport.refused = True
            transport.nodes.clear()
        await asyncio.sleep(3600)
        await case.look()
        assert case.ids() == {A, B}

    played(story)


def test_one_client_that_lists_a_node_keeps_it() -> None:
    async def story(case: Case) -> None:
        await case.look()
        case.transports[0].nodes = {A: config}
        await asyncio.sleep(2 * SETTLE)
        await case.look()
        await asyncio.sleep(2 * SETTLE)
        await case.look()
        assert case.ids() == {A, B}

    played(story)


def test_patterns_choose_among_the_discovered_and_never_touch_the_configured() -> None:
    async def story(case: Case) -> None:
        await case.look()
        assert case.ids() == {B, C}

    played(story, static=[{"id": C}], discover={"enabled": True, "exclude": [A, C]})


def remembering(case: Case, *targets: Target) -> Case:
    """Let an earlier process have watched these targets."""
    earlier = Store(case.clock)
    earlier.set_targets(targets)
    case.store.restore(earlier.saved())
    return case


def test_what_an_earlier_run_had_discovered_stays_until_every_client_was_heard() -> None:
    async def story(case: Case) -> None:
        remembering(case, Target(C))
        case.transports[1].refused = True
        await case.look()
        await asyncio.sleep(SETTLE)
        await case.look()
        assert case.ids() == {A, B, C}, "the other client might list it"
        case.transports[1].refused = False
        await case.look()
        await asyncio.sleep(SETTLE)
        await case.look()
        assert case.ids() == {A, B}

    played(story)


def test_a_list_that_cannot_be_read_is_no_list() -> None:
    async def story(case: Case) -> None:
        remembering(case, Target(C))
        for transport in case.transports:
            transport.local = {"mining_nodes": HTML}
        await case.look()
        await asyncio.sleep(SETTLE)
        await case.look()
        assert case.ids() == {C}

    played(story)


def test_without_discovery_nothing_is_remembered() -> None:
    async def story(case: Case) -> None:
        remembering(case, Target(C))
        await case.look()
        assert case.ids() == {A}

    played(story, static=[{"id": A}])


STATIC = [{"id": MANAGER, "kind": "bare_metal_manager"}]
SERVER = Target(C, Kind.SERVER, manager=MANAGER)


def list_servers(case: Case, *servers: str) -> None:
    """Let the manager's list have been read."""
    owner = Owner(node_id=MANAGER)
    case.store.attempt(owner, "bare_metal", 300.0)
    listed = BareMetalList(servers=tuple(BareMetalServer(node_id=server) for server in servers))
    assert case.store.commit(owner, "bare_metal", {"": listed})
    case.watching.update()


def test_a_managers_servers_are_watched_and_stay_when_its_list_is_too_old_to_show() -> None:
    async def story(case: Case) -> None:
        await case.look()
        list_servers(case, C)
        assert case.ids() == {MANAGER, C}
        await asyncio.sleep(3600)
        case.store.sweep()
        case.watching.update()
        assert case.store.facts(Owner(node_id=MANAGER), "bare_metal") == {}
        assert case.ids() == {MANAGER, C}
        list_servers(case, B)
        assert case.ids() == {MANAGER, B}

    played(story, static=STATIC)


def test_servers_are_remembered_until_their_manager_was_heard() -> None:
    async def story(case: Case) -> None:
        remembering(case, SERVER)
        await case.look()
        assert case.ids() == {MANAGER, C}
        list_servers(case, B)
        assert case.ids() == {MANAGER, B}

    played(story, static=STATIC)


def test_servers_of_a_manager_that_is_configured_no_more_are_forgotten() -> None:
    async def story(case: Case) -> None:
        remembering(case, SERVER)
        await case.look()
        assert case.ids() == {A}

    played(story, static=[{"id": A}])


def test_a_changed_target_file_is_taken_up(tmp_path: Path) -> None:
    file = tmp_path / "targets.yml"
    file.write_text(f"- id: {A}\n")

    async def story() -> None:
        case = Case(LoopClock(asyncio.get_running_loop()), {"files": [str(file)]})
        case.watching.update()
        assert case.ids() == {A}
        file.write_text(f"- id: {A}\n- id: {C}\n")
        case.watching.refresh_files()
        assert case.watching._reading is not None
        await case.watching._reading
        assert case.ids() == {A, C}

    asyncio.run(story())


# -- several shards --------------------------------------------------------------------------------------------


def lines(case: Case, family: str) -> list[str]:
    """Return the samples of a family as they are exposed."""
    exposition = Exposition(case.store, OwnMetrics(version="0", python="3"))
    body = exposition.reply({}, {}).body.decode()
    return [line for line in body.splitlines() if line.startswith(f"{family}{{")]


def test_each_shard_watches_its_part_and_tells_of_the_others() -> None:
    async def story(clock: LoopClock) -> None:
        cases = [Case(clock, {}, shard, 2) for shard in range(2)]
        for case in cases:
            await case.look()
        assert [case.ids() for case in cases] == [
            {node for node in (A, B) if ranked(node, 2)[0] == shard} for shard in range(2)
        ]
        told = sorted(line for case in cases for line in lines(case, "dbc_target_elsewhere"))
        assert told == sorted(
            f'dbc_target_elsewhere{{node_id="{node}",shard="{ranked(node, 2)[0]}"}} 1' for node in (A, B)
        )

    virtually(story)


def test_a_target_that_goes_to_another_shard_has_not_left_and_one_that_comes_back_has_no_tombstone() -> None:
    async def story(case: Case) -> None:
        await case.look()
        case.be_shard(1 - ranked(A, 2)[0], 2)
        await case.look()
        assert A not in case.ids()
        assert not any(A in line for line in lines(case, "dbc_target_present"))
        case.be_shard(0, 1)
        await case.look()
        assert f'dbc_target_present{{node_id="{A}"}} 1' in lines(case, "dbc_target_present")
        assert lines(case, "dbc_target_elsewhere") == []

    played(story)


def test_a_tombstone_ends_when_the_target_comes_back_at_another_shard() -> None:
    async def story(case: Case) -> None:
        other = 1 - ranked(A, 2)[0]
        remembering(case, Target(A))
        await case.look()
        case.be_shard(other, 2, static=[{"id": B}])
        case.watching.update()
        assert f'dbc_target_present{{node_id="{A}"}} 0' in lines(case, "dbc_target_present")
        case.be_shard(other, 2, static=[{"id": A}, {"id": B}])
        case.watching.update()
        assert not any(A in line for line in lines(case, "dbc_target_present"))

    played(story, static=[{"id": A}])


def test_what_an_earlier_run_watched_is_another_shards_after_a_restart_with_more_shards() -> None:
    async def story(case: Case) -> None:
        remembering(case, Target(A), Target(B))
        for transport in case.transports:
            transport.refused = True
        shard = ranked(A, 2)[0]
        case.be_shard(shard, 2)
        await case.look()
        assert A in case.ids()
        assert (B in case.ids()) is (ranked(B, 2)[0] == shard)
        shown = {node for node in (A, B) if any(node in line for line in lines(case, "dbc_target_present"))}
        assert shown == case.ids()

    played(story)
