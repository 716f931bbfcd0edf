"""The inventory: configured, from files, from lists; nobody leaves because nobody could look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbc_exporter import last_listed
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

MINUTE = 60.0
DAY = 86_400.0
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

    def reload(self, **targets: Any) -> None:
        """Go on with other settings of targets, as after a reload."""
        before = self.watching
        self.be_shard(0, 1, **targets)
        self.watching.take_over(before)

    def restart(self, shard: int = 0, total: int = 1, **targets: Any) -> None:
        """Begin anew from what is saved, with clients that have to be heard again."""
        store, saved = self.store.saved(), msgspec.json.encode(self.watching.saved())
        self.clients = [client_of(one, f"client-{n}") for n, one in enumerate(self.transports)]
        self.store = Store(self.clock)
        self.store.restore(store)
        self.poller = Poller(Pool(self.clients, self.clock), self.store, self.clock, [], [])
        self.be_shard(shard, total, **targets)
        self.watching.restore(msgspec.json.decode(saved))

    def list(self, *nodes: str) -> None:
        """Let all clients list these nodes from now on."""
        for transport in self.transports:
            transport.nodes = dict.fromkeys(nodes, config)

    async def settle(self, seconds: float = SETTLE) -> None:
        """Let time pass, look, and let so much pass that the lists are believed."""
        await self.look()
        await asyncio.sleep(seconds)
        await self.look()

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


def listing(names: dict[str, str]) -> dict[str, Any]:
    """Return a client's list of nodes, by id, with their names."""
    return {"mining_nodes": [{"node_id": node, "name": name} for node, name in names.items()]}


def test_what_is_listed_is_watched_from_the_first_look() -> None:
    async def story(case: Case) -> None:
        case.watching.update()
        assert case.ids() == set()
        await case.look(0)
        assert case.ids() == {A, B}

    played(story)


def test_who_joins_is_watched_at_once_and_who_leaves_a_settled_list_leaves_once_its_time_is_over() -> None:
    """A dead node leaves the lists: one that left them at once would end its own alerts."""

    async def story(case: Case) -> None:
        await case.look()
        case.list(A, C)
        await case.look()
        assert case.ids() == {A, B, C}
        await case.settle()
        await case.settle(DAY - 2 * SETTLE)
        assert case.ids() == {A, B, C}
        await case.settle(2 * SETTLE)
        assert case.ids() == {A, C}
        assert f'dbc_target_present{{node_id="{B}"}} 0' in lines(case, "dbc_target_present")

    played(story)


def test_one_that_comes_back_is_the_same_target_and_its_time_begins_anew() -> None:
    async def story(case: Case) -> None:
        await case.settle()
        before = case.poller.targets
        case.list(A)
        await case.settle(DAY - MINUTE)
        case.list(A, B)
        await case.settle()
        assert case.poller.targets == before
        case.list(A)
        await case.settle(DAY - MINUTE)
        assert case.poller.targets == before

    played(story)


def test_it_is_forgotten_as_soon_as_the_settings_say() -> None:
    async def story(case: Case) -> None:
        await case.settle()
        case.list(A)
        await case.settle(SETTLE)
        assert case.ids() == {A, B}
        case.reload(discover={"forget_after_seconds": "10s"})
        await case.settle(SETTLE)
        assert case.ids() == {A}

    played(story)


@pytest.mark.parametrize("down", [False, True])
def test_who_is_excluded_leaves_at_once_also_when_it_is_on_no_list_or_nobody_can_look(down: bool) -> None:
    async def story(case: Case) -> None:
        await case.settle()
        case.list(A)
        await case.settle()
        assert case.ids() == {A, B}
        for transport in case.transports:
            transport.refused = down
        await case.look()
        case.reload(discover={"exclude": [B]})
        case.watching.update()
        assert case.ids() == {A}
        assert f'dbc_target_present{{node_id="{B}"}} 0' in lines(case, "dbc_target_present")

    played(story)


def test_who_is_excluded_by_the_name_it_had_leaves_at_once_also_after_a_restart() -> None:
    async def story(case: Case) -> None:
        listed = {"mining_nodes": listing({A: "pool7-1", B: "pool8-1"})}
        for transport in case.transports:
            transport.local = listed
        await case.settle()
        listed["mining_nodes"] = listing({A: "pool7-1"})
        await case.settle()
        assert case.ids() == {A, B}
        case.restart(discover={"include": ["pool7-*"]})
        case.watching.update()
        assert case.ids() == {A}

    played(story)


def test_what_was_configured_and_is_no_more_is_not_kept_for_having_been_listed() -> None:
    async def story(case: Case) -> None:
        await case.settle()
        case.list(A)
        await case.settle()
        case.reload(discover={"enabled": True})
        await case.settle()
        assert case.ids() == {A}

    played(story, static=[{"id": B}], discover={"enabled": True})


def test_without_discovery_no_more_what_was_discovered_leaves_at_once() -> None:
    async def story(case: Case) -> None:
        await case.settle()
        case.list(A)
        await case.settle()
        case.reload(static=[{"id": A}])
        case.watching.update()
        assert case.ids() == {A}
        case.reload()
        await case.settle()
        assert case.ids() == {A}, "nothing of it is remembered"

    played(story)


def test_of_unlisted_nodes_those_that_left_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(case: Case) -> None:
        await case.settle()
        case.list(A, C)
        await case.settle()
        case.list(A)
        await case.settle()
        assert case.ids() == {A, C}

    monkeypatch.setattr(last_listed, "MOST_UNLISTED", 1)
    played(story)


def test_the_dead_of_before_a_restart_are_missed_after_it_for_the_rest_of_their_time() -> None:
    async def story(case: Case) -> None:
        await case.settle()
        case.list(A)
        await case.settle(DAY / 2)
        case.restart()
        await case.settle(DAY / 2 - 4 * SETTLE)
        assert case.ids() == {A, B}
        await case.settle(8 * SETTLE)
        assert case.ids() == {A}

    played(story)


def test_who_died_while_the_exporter_was_down_is_missed_after_its_start() -> None:
    async def story(case: Case) -> None:
        await case.settle()
        case.list(A)
        await asyncio.sleep(DAY / 2)
        case.restart()
        await case.settle()
        assert case.ids() == {A, B}

    played(story)


def test_nobody_of_an_earlier_run_is_forgotten_before_every_client_was_heard() -> None:
    async def story(case: Case) -> None:
        await case.settle()
        case.list(A)
        case.transports[1].refused = True
        case.restart()
        await case.settle(2 * DAY)
        assert case.ids() == {A, B}, "the other client might list it"
        case.transports[1].refused = False
        await case.settle()
        assert case.ids() == {A}

    played(story)


def test_a_clock_that_was_set_back_over_a_restart_lets_nobody_stay_for_longer() -> None:
    async def story(case: Case) -> None:
        await case.settle()
        case.list(A)
        case.restart()
        later = {node: (name, at + 10 * DAY) for node, (name, at) in case.watching.saved().items()}
        case.watching.restore(later)
        await case.settle(DAY + MINUTE)
        assert case.ids() == {A}

    played(story)


def test_a_client_that_cannot_be_asked_takes_nobody_away_and_lets_no_time_run() -> None:
    async def story(case: Case) -> None:
        await case.settle()
        for transport in case.transports:
            transport.refused = True
            transport.nodes.clear()
        await case.settle(2 * DAY)
        assert case.ids() == {A, B}
        for transport in case.transports:
            transport.refused = False
        await case.settle(DAY - MINUTE)
        assert case.ids() == {A, B}

    played(story)


def test_one_client_that_lists_a_node_keeps_it() -> None:
    async def story(case: Case) -> None:
        await case.look()
        case.transports[0].nodes = {A: config}
        await case.settle(2 * DAY)
        await case.settle(2 * DAY)
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


@pytest.mark.parametrize("restarted", [False, True])
def test_an_unlisted_node_keeps_its_shard_and_the_others_tell_of_it(restarted: bool) -> None:
    async def story(clock: LoopClock) -> None:
        cases = [Case(clock, {}, shard, 2) for shard in range(2)]
        for shard, case in enumerate(cases):
            await case.settle()
            case.list(B)
            if restarted:
                case.restart(shard, 2)
            await case.settle()
        owner = ranked(A, 2)[0]
        assert [A in case.ids() for case in cases] == [shard == owner for shard in range(2)]
        told = [line for case in cases for line in lines(case, "dbc_target_elsewhere") if A in line]
        assert told == [f'dbc_target_elsewhere{{node_id="{A}",shard="{owner}"}} 1']

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
