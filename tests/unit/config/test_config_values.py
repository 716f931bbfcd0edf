"""What single settings accept and refuse."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dbc_exporter.config.floors import FLOORS
from dbc_exporter.config.section import Duration
from dbc_exporter.config.settings import CollectorsSettings, Settings
from dbc_exporter.config.ss58 import is_address

ID = "ab" * 32
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
DURATION: TypeAdapter[float] = TypeAdapter(Duration)


def refusal(data: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as refused:
        Settings(**data)
    return refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("1d", 86400),
        ("500ms", 0.5),
        ("1.5h", 5400),
        (15, 15),
    ],
)
def test_a_duration_is_seconds_or_has_units(text: str | int, seconds: float) -> None:
    assert DURATION.validate_python(text) == seconds


@pytest.mark.parametrize("text", ["", "5 m", "m", "5x", "-5s", "0", "nan", "inf", "1m1", "1:30", "\u0665m"])
def test_what_is_no_positive_duration_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        DURATION.validate_python(text)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_units_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert DURATION.validate_python(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize(
    ("node_id", "word"),
    [("AB" * 32, "lower case"), ("0x" + ID, "without 0x"), (ID[:-1], "64"), ("xy" * 32, "64"), ("", "64")],
)
def test_a_bad_node_id_is_told_what_it_should_be(node_id: str, word: str) -> None:
    assert word in refusal({"targets": {"static": [{"id": node_id}]}})


@pytest.mark.parametrize("label", ["9a", "a-b", "", "__meta_x", "ä"])
def test_labels_have_names_prometheus_takes(label: str) -> None:
    assert refusal({"targets": {"static": [{"id": ID, "labels": {label: "x"}}]}})


@pytest.mark.parametrize(
    "address",
    [
        ":10177",
        "127.0.0.1:1",
        "[::1]:10177",
        "[fe80::1%eth0]:10177",
        "exporter.local:65535",
        "0.0.0.0:0",
        "unix:///run/dbc-exporter/http.sock",
    ],
)
def test_listen_addresses(address: str) -> None:
    assert Settings.model_validate({"web": {"listen_address": address}}).web.listen_address == (address,)
    several = [address, "127.0.0.1:2"]
    found = Settings.model_validate({"web": {"listen_address": several}}).web.listen_address
    assert found == (address, "127.0.0.1:2")


def test_the_exporter_listens_somewhere() -> None:
    assert "at least 1" in refusal({"web": {"listen_address": []}})


@pytest.mark.parametrize(
    "address",
    [
        *("10177", "::1:10177", "a:65536", "http://a:1", "a b:1", "[::1]", ":"),
        *("unix://run/x.sock", "unix:/run/x.sock", "unix:///", "/run/x.sock"),
    ],
)
def test_what_is_no_listen_address_is_refused(address: str) -> None:
    assert "10177" in refusal({"web": {"listen_address": address}})


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://u:p@a:1", "user or password"),
        ("ftp://a", "http or https"),
        ("a:5050", "http or https"),
        ("http://", "http or https"),
        ("http://a/api/v1", "without /api/v1"),
        ("http://a:99999", "valid URL"),
        ("http://[::1", "valid URL"),
    ],
)
def test_a_client_url_is_scheme_host_and_port(url: str, word: str) -> None:
    assert word in refusal({"clients": [{"url": url}]})


@pytest.mark.parametrize(
    ("web", "prefix"),
    [
        ({}, ""),
        ({"external_url": "https://dbc.example"}, ""),
        ({"external_url": "https://dbc.example/"}, ""),
        ({"external_url": "https://example:8443/a/dbc/"}, "/a/dbc"),
        ({"external_url": "https://example/dbc", "route_prefix": "/"}, ""),
        ({"external_url": "https://example/dbc", "route_prefix": "/other/"}, "/other"),
        ({"external_url": "https://example/dbc", "route_prefix": ""}, "/dbc"),
        ({"route_prefix": "/dbc"}, "/dbc"),
    ],
)
def test_the_prefix_is_the_external_urls_path_unless_it_is_given(web: dict[str, str], prefix: str) -> None:
    assert Settings.model_validate({"web": web}).web.prefix == prefix


@pytest.mark.parametrize("prefix", ["dbc", "//", "/a b", "/a//b", "/..", "/a/./b", "/{id}", "/a?b"])
def test_what_is_no_prefix_is_refused(prefix: str) -> None:
    assert "a path such as /dbc" in refusal({"web": {"route_prefix": prefix}})


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://u:p@a:1", "user or password"),
        ("a/dbc", "http or https"),
        ("http://a/dbc?x", "without ?"),
        ("http://a/../dbc", "a path such as"),
        ("http://a/a//b", "a path such as"),
    ],
)
def test_an_external_url_is_a_place_and_nothing_more(url: str, word: str) -> None:
    assert word in refusal({"web": {"external_url": url}})


@pytest.mark.parametrize("path", ["/probe", "/sd", "/targets", "/-/metrics"])
def test_the_metrics_take_no_other_pages_place(path: str) -> None:
    assert "own pages" in refusal({"web": {"telemetry_path": path}})


@pytest.mark.parametrize(
    ("url", "name"),
    [("http://a:5050/", "a:5050"), ("https://b", "b:443"), ("http://[::1]:9", "[::1]:9")],
)
def test_a_client_is_named_by_its_address_unless_named(url: str, name: str) -> None:
    assert Settings.model_validate({"clients": [{"url": url}]}).clients[0].name == name
    assert Settings.model_validate({"clients": [{"url": url, "name": "x"}]}).clients[0].name == "x"


def test_a_deadline_lies_over_the_servers_thirty_seconds() -> None:
    assert (
        Settings.model_validate({"clients": [{"url": "http://a", "deadline_seconds": "36s"}]})
        .clients[0]
        .deadline_seconds
        == 36
    )
    assert refusal({"clients": [{"url": "http://a", "deadline_seconds": 30}]})


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.web = settings.web
    with pytest.raises(ValidationError):
        settings.web.listen_address = (":1",)


def test_constructing_settings_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBC_EXPORTER_WEB__LISTEN_ADDRESS", ":1")
    assert Settings().web.listen_address == (":10177",)


def test_switching_a_collector_off_keeps_its_interval() -> None:
    collectors = Settings.model_validate(
        {"collectors": {"vms": {"enabled": False}, "node": {"interval_seconds": "2m"}}}
    ).collectors
    assert (collectors.vms.enabled, collectors.vms.interval_seconds) == (False, 900)
    assert (collectors.node.enabled, collectors.node.interval_seconds) == (True, 120)
    assert not collectors.centre_images.enabled


def test_every_collector_has_a_floor_its_default_keeps() -> None:
    defaults = Settings().collectors.by_name()
    assert defaults.keys() == FLOORS.keys() == CollectorsSettings.model_fields.keys()
    assert all(defaults[name].interval_seconds >= floor for name, (floor, _) in FLOORS.items())


def test_discovery_is_on_until_targets_are_given() -> None:
    assert Settings().targets.discovering
    assert not Settings.model_validate({"targets": {"static": [{"id": ID}]}}).targets.discovering
    assert not Settings.model_validate({"targets": {"files": ["x.yml"]}}).targets.discovering
    assert Settings.model_validate(
        {"targets": {"files": ["x.yml"], "discover": {"enabled": "yes"}}}
    ).targets.discovering
    assert not Settings.model_validate({"targets": {"discover": {"enabled": "off"}}}).targets.discovering


@pytest.mark.parametrize(
    ("record", "word"),
    [
        ({"manager": ID}, "only a bare_metal_server has one"),
        ({"desired_state": "on"}, "running or none"),
        ({"kind": "bare_metal_server", "desired_state": "running"}, "on or none"),
        ({"kind": "bare_metal_manager", "desired_state": "on"}, "write none"),
        ({"kind": "bare_metal_server", "transfers": ["a"]}, "only a compute node"),
    ],
)
def test_a_record_fits_its_kind(record: dict[str, Any], word: str) -> None:
    assert word in refusal({"targets": {"static": [{"id": ID, **record}]}})


def test_a_record_becomes_a_target_with_sorted_labels() -> None:
    record = {"id": ID, "rent_order": 101, "labels": {"b": 2, "a": "1"}, "transfers": ["x.qcow2"]}
    (target,) = Settings.model_validate({"targets": {"static": [record]}}).targets.static[0].targets()
    assert (target.id, target.rent_order, target.transfers) == (ID, "101", ("x.qcow2",))
    assert target.labels == (("a", "1"), ("b", "2"))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/passwd"])
def test_a_time_zone_is_known_to_the_system(zone: str) -> None:
    assert "time zone" in refusal({"node_timezone": zone})


def test_the_telemetry_path_leaves_our_own_pages_alone() -> None:
    assert (
        Settings.model_validate({"web": {"telemetry_path": "/dbc/metrics"}}).web.telemetry_path
        == "/dbc/metrics"
    )
    for path in ("metrics", "/", "/targets", "/-/healthy", "/a b", "/a/"):
        assert refusal({"web": {"telemetry_path": path}})


def test_wallet_addresses_are_checked_down_to_their_checksum() -> None:
    assert is_address(ALICE)
    for wrong in (
        ALICE[:-1] + "Z",
        ALICE[1:],
        ALICE + "1",
        "0x" + ID,
        "",
        "5" * 200,
        "HNZata7iMYWmk5RvZRTiAsSDhV8366zq2YGb3tLH5Upf74F",
    ):
        assert not is_address(wrong)
