"""File, environment and flags: which wins, and what each may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbc_exporter.config.flags import Command, flags
from dbc_exporter.config.load import load, read
from dbc_exporter.config.problems import ConfigError

CLIENT = {"DBC_EXPORTER_CLIENTS": '[{"url": "http://env:1"}]'}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dbc.yml"
    path.write_text(
        """
clients: [{url: "http://file:1"}]
web: {listen_address: ":1", telemetry_path: /file}
collectors:
  node: {interval_seconds: 20s}
  vms:
log:
"""
    )
    return path


def test_flags_win_over_environment_and_that_over_the_file(file: Path) -> None:
    env = {
        **CLIENT,
        "DBC_EXPORTER_WEB__LISTEN_ADDRESS": ":2",
        "DBC_EXPORTER_COLLECTORS__NODE__INTERVAL_SECONDS": "30s",
    }
    argv = ["--config.file", str(file)]
    assert load(argv, {}).web.listen_address == (":1",)
    assert load(argv, env).web.listen_address == (":2",)
    settings = load([*argv, "--web.listen-address", ":3", "--dbc.client", "http://flag:1"], env)
    assert settings.web.listen_address == (":3",)
    assert settings.web.telemetry_path == "/file"
    assert settings.collectors.node.interval_seconds == 30
    assert [client.name for client in settings.clients] == ["flag:1"]


def test_an_empty_key_is_as_if_it_were_absent(file: Path) -> None:
    settings = load(["--config.file", str(file)], {})
    assert settings.collectors.vms.interval_seconds == 900
    assert settings.log.level == "info"


def test_loading_again_gives_the_same_settings(file: Path) -> None:
    assert load(["--config.file", str(file)], CLIENT) == load(["--config.file", str(file)], CLIENT)


def test_the_file_can_be_named_by_the_environment(file: Path) -> None:
    settings = load([], {"DBC_EXPORTER_CONFIG_FILE": str(file)})
    assert settings.config_file == file
    assert load(["--dbc.client", "http://a"], {}).config_file is None


def test_every_flag_sets_its_setting() -> None:
    samples = {
        "level": "debug",
        "format": "json",
        "telemetry_path": "/x",
        "external_url": "http://a/b",
        "route_prefix": "/c",
    }
    for flag in flags():
        leaf = str(flag.path[-1])
        if flag.repeatable or leaf in ("config_file", "path", "shard", "total_shards"):
            continue  # test_shard_settings.py has the shards
        value = samples.get(leaf, "2h")
        given = [f"--{flag.name}"] if flag.switch else [f"--{flag.name}", value]
        settings = load(["--dbc.client", "http://a", *given], {})
        found: object = settings
        for part in flag.path:
            found = getattr(found, str(part))
        assert found == (True if flag.switch else 7200 if leaf == "interval_seconds" else value), flag


def test_a_collector_can_be_switched_off_by_flag() -> None:
    settings = load(["--dbc.client", "http://a", "--no-collector.vms", "--collector.centre_images"], {})
    assert not settings.collectors.vms.enabled
    assert settings.collectors.centre_images.enabled


def test_clients_can_be_given_by_flag_more_than_once() -> None:
    settings = load(["--dbc.client", "http://a:1", "--dbc.client", "http://b:2"], {})
    assert [client.url for client in settings.clients] == ["http://a:1", "http://b:2"]


def test_listen_addresses_can_be_given_by_flag_more_than_once_and_as_json_in_the_environment() -> None:
    flags = ["--web.listen-address", "[::1]:1", "--web.listen-address", "unix:///run/x.sock"]
    assert load(["--dbc.client", "http://a", *flags], {}).web.listen_address == (
        "[::1]:1",
        "unix:///run/x.sock",
    )
    env = {**CLIENT, "DBC_EXPORTER_WEB__LISTEN_ADDRESS": '[":1", ":2"]'}
    assert load([], env).web.listen_address == (":1", ":2")


def test_the_command_may_stand_anywhere_and_is_serve_by_default() -> None:
    client = ["--dbc.client", "http://a"]
    assert read(client, {}).command is Command.SERVE
    assert read(["once", *client], {}).command is Command.ONCE
    assert read([*client, "check-config"], {}).command is Command.CHECK_CONFIG
    assert read([*client, "--config.check"], {}).command is Command.CHECK_CONFIG


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["sevre"], "'sevre' is no command; the commands are serve"),
        (["--web.listen", ":1"], "command line"),
        (["--collector.nope"], "--collector.nope"),
        (["--web.listen-address"], "expected one argument"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(argv: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(argv, CLIENT)
    assert len(refused.value.problems) == 1
    assert words in str(refused.value)


def test_unknown_variables_are_warnings() -> None:
    env = {
        **CLIENT,
        "DBC_EXPORTER_LISTEN": ":1",
        "DBC_EXPORTER_WEB__LISTEN": ":1",
        "DBC_EXPORTER_COLLECTORS__NODES__ENABLED": "true",
        "DBC_EXPORTER_LOG__LEVEL": "",
        "OTHER": "x",
    }
    warnings = read([], env).warnings
    assert len(warnings) == 3
    for name in ("DBC_EXPORTER_LISTEN", "DBC_EXPORTER_WEB__LISTEN", "DBC_EXPORTER_COLLECTORS__NODES"):
        assert any(name in warning for warning in warnings)


def test_variables_kubernetes_makes_of_a_service_are_no_news() -> None:
    links = {
        "DBC_EXPORTER_SERVICE_HOST": "10.0.0.1",
        "DBC_EXPORTER_SERVICE_PORT": "10177",
        "DBC_EXPORTER_SERVICE_PORT_HTTP": "10177",
        "DBC_EXPORTER_PORT": "tcp://10.0.0.1:10177",
        "DBC_EXPORTER_PORT_10177_TCP": "tcp://10.0.0.1:10177",
        "DBC_EXPORTER_PORT_10177_TCP_ADDR": "10.0.0.1",
        "DBC_EXPORTER_METRICS_SERVICE_HOST": "10.0.0.1",
    }
    assert read([], {**CLIENT, **links}).warnings == ()
    assert len(read([], {**CLIENT, "DBC_EXPORTER_PORT": "10177"}).warnings) == 1


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(ConfigError) as refused:
        load([], {**CLIENT, "DBC_EXPORTER_TARGETS__STATIC": "not json", "DBC_EXPORTER_LOG__LEVEL": "loud"})
    said = [str(problem) for problem in refused.value.problems]
    assert said[0].startswith("targets.static: must be a list")
    assert said[0].endswith("(environment DBC_EXPORTER_TARGETS__STATIC)")
    assert said[1].endswith("not 'loud' (environment DBC_EXPORTER_LOG__LEVEL)")


def test_names_of_files_start_at_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ab" * 32)
    (tmp_path / "t.json").write_text('[{"id": "' + "cd" * 32 + '", "labels": {"n": 1}}]')
    (tmp_path / "dbc.yml").write_text(
        "clients: [{url: 'http://a'}]\ncredentials: {m: {type: manager, key_file: key}}\n"
        "targets: {files: ['t*.json'], discover: {labels: {files: keep, a_file: keep}}}\nstorage: {path: state}\n"
    )
    loaded = read(["--config.file", str(tmp_path / "dbc.yml")], {})
    assert loaded.settings.storage.path == tmp_path / "state"
    assert loaded.settings.targets.discover.labels == {"files": "keep", "a_file": "keep"}
    assert [target.labels for target in loaded.targets] == [(("n", "1"),)]


def test_file_names_in_flags_start_where_the_program_runs(file: Path) -> None:
    settings = load(["--config.file", str(file), "--storage.path", "state"], {})
    assert settings.storage.path == Path("state")


def test_only_commands_that_poll_need_a_client() -> None:
    for command in ("demo", "healthcheck"):
        assert load([command], {}).clients == ()
    for command in ("serve", "once", "check-config"):
        with pytest.raises(ConfigError, match=r"--dbc\.client"):
            load([command], {})


def test_a_health_check_asks_for_nothing_but_the_address(file: Path) -> None:
    file.write_text(
        "web: {listen_address: ':5'}\ncredentials: {a: {type: wallet, seed_file: /nowhere}}\nlog: {level: x}\n"
    )
    assert load(["healthcheck", "--config.file", str(file)], {}).web.listen_address == (":5",)
