"""Reloading and stopping the application: one engine at a time, nothing known is lost, everything is closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dbc_exporter.config.settings import Settings
from dbc_exporter.engine import Engine
from dbc_exporter.web.types import ReloadError
from tests.resilience.live import Live, live


def built(alive: Live, monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """Return a list of the engine that runs and of all that are built from now on."""
    engines = [alive.app.engine]
    build = alive.app._build

    def remember(*arguments: object) -> Engine:
        engines.append(build(*arguments))  # type: ignore[arg-type]  # passed on as they came
        return engines[-1]

    monkeypatch.setattr(alive.app, "_build", remember)
    return engines


def stopped(engine: Engine) -> bool:
    return all(sweep._stopped for sweep in engine.poller.sweeps)


async def test_reloads_at_the_same_time_leave_one_engine_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    async with live() as alive:
        engines = built(alive, monkeypatch)
        await asyncio.gather(*(alive.app.reload() for _ in range(5)))
        assert len(engines) == 6
        assert [stopped(engine) for engine in engines] == [True] * 5 + [False]
        assert alive.app.engine is engines[-1]
        await alive.until(alive.everybody_is_up)


async def test_what_was_known_is_known_after_a_reload() -> None:
    async with live() as alive:
        alive.app.engine.clients[0].unanswered = 7
        restarts = alive.app.engine.clients[0].restarts = 3
        before = await alive.scrape()
        await alive.app.reload()
        for _ in range(20):
            samples = await alive.scrape()
            assert alive.everybody_is_up(samples)
            assert alive.state(samples) == "ok"
            assert samples["dbc_node_visible"].keys() == before["dbc_node_visible"].keys()
        client = alive.app.engine.clients[0]
        assert (client.unanswered, client.restarts) == (7, restarts)


async def test_suspects_stay_suspected_over_a_reload() -> None:
    async with live() as alive:
        node = alive.running.fleet.compute[0].id
        alive.running.fleet.world.hosts[node].freeze()
        alive.app.engine.poller.pool.suspects.add(node, alive.app._clock.monotonic())
        await alive.app.reload()
        assert node in alive.app.engine.poller.pool.suspects


async def test_a_client_at_another_address_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async with live(clients=2) as alive:
        first, second = alive.app.engine.settings.clients
        alive.app.engine.clients[0].unanswered = 7
        moved = first.model_copy(update={"url": second.url})
        settings = alive.app.engine.settings.model_copy(update={"clients": (moved,)})
        monkeypatch.setattr(alive.app, "_reload_settings", lambda: settings)
        await alive.app.reload()
        assert [client.unanswered for client in alive.app.engine.clients] == [0]
        await alive.until(alive.everybody_is_up)
        samples = await alive.scrape()
        assert not any('client="client-2"' in labels for labels in samples["dbc_client_state"])


async def test_settings_that_are_refused_leave_the_engine_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Settings:
        raise ValueError("no such key")

    async with live() as alive:
        engine = alive.app.engine
        monkeypatch.setattr(alive.app, "_reload_settings", refuse)
        with pytest.raises(ReloadError, match="no such key"):
            await alive.app.reload()
        assert alive.app.engine is engine
        assert not stopped(engine)
        assert (await alive.scrape())["dbc_exporter_config_last_reload_successful"] == {"": 0}


async def test_a_policy_that_is_refused_leaves_the_engine_running(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "policy.yml").write_text("half wri")
    async with live() as alive:
        engine = alive.app.engine
        remediation = engine.settings.remediation.model_copy(update={"policy_file": tmp_path / "policy.yml"})
        settings = engine.settings.model_copy(update={"remediation": remediation})
        monkeypatch.setattr(
            alive.app, "_reload_settings", lambda: settings
        )  # it was good when it was checked
        with pytest.raises(ReloadError, match="is no policy"):
            await alive.app.reload()
        assert alive.app.engine is engine
        assert not stopped(engine)
        assert (await alive.scrape())["dbc_exporter_config_last_reload_successful"] == {"": 0}


async def test_an_unexpected_failure_is_not_the_last_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    async with live() as alive:
        tries: list[int] = []
        good = alive.app.engine.settings

        def fail_once() -> Settings:
            tries.append(1)
            if len(tries) == 1:
                raise OSError("the disk is gone")
            return good

        monkeypatch.setattr(alive.app, "_reload_settings", fail_once)
        hangup = asyncio.Event()
        listening = asyncio.ensure_future(alive.app._reload_on(hangup))
        name = "dbc_exporter_config_last_reload_successful"
        hangup.set()
        await alive.until(lambda samples: samples[name] == {"": 0})
        hangup.set()
        await alive.until(lambda samples: samples[name] == {"": 1})
        listening.cancel()


async def test_nothing_is_reloaded_any_more_once_it_stops() -> None:
    async with live() as alive:
        pass
    with pytest.raises(ReloadError, match="stopping"):
        await alive.app.reload()


async def test_everything_is_stopped_in_order_even_if_one_part_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    engines: list[Engine] = []

    async def run_and_stop() -> None:
        async with live() as alive:
            engines.append(alive.app.engine)
            stop, save = alive.app.scheduler.stop, alive.app._save

            async def stop_ticks() -> None:
                order.append("ticks")
                await stop()

            async def fail() -> None:
                order.append("polling")
                await engines[0].poller.stop()
                raise RuntimeError("a connection cannot be closed")

            def remember() -> None:
                order.append("state")
                save()

            monkeypatch.setattr(alive.app.scheduler, "stop", stop_ticks)
            monkeypatch.setattr(Engine, "stop", lambda _engine: fail())
            monkeypatch.setattr(alive.app, "_save", remember)

    with pytest.raises(RuntimeError, match="cannot be closed"):
        await run_and_stop()
    assert order == ["ticks", "polling", "state"]
    for client in engines[0].clients:
        await client.aclose()
