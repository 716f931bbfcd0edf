"""The endpoints over a real socket, without a web configuration."""

from __future__ import annotations

import asyncio
import gzip
import html
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest

from dbc_exporter.web.listen import ListenError
from dbc_exporter.web.server import WebServer
from dbc_exporter.web.types import Health, Reply, ReplyLike
from tests.e2e.processes import free_port
from tests.unit.web.web_fakes import NOW, FakeClock, Fleet, fleet, healthy_node

PAGES = ("/", "/targets", f"/targets/{healthy_node(0).id}")
GETTERS = (*PAGES, "/metrics", "/sd?job=probe", "/-/healthy", "/-/ready")


class Site:
    """A running server and a client of it. `compressed` bodies stay as they came."""

    def __init__(self, shown: Fleet, base: str, session: aiohttp.ClientSession) -> None:
        self.shown = shown
        self.base = base
        self.session = session

    async def ask(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, self.base + path, headers=named) as response:
            return response, await response.read()

    async def text(self, path: str) -> str:
        return (await self.ask(path))[1].decode()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    shown = Fleet()
    server = WebServer(shown.sources(), FakeClock())
    (address,) = await server.start("127.0.0.1:0")
    async with aiohttp.ClientSession(
        auto_decompress=False, skip_auto_headers=("Accept", "Accept-Encoding")
    ) as session:
        yield Site(shown, f"http://{address}", session)
    await server.stop()


async def test_metrics_are_what_the_exposition_says(site: Site) -> None:
    response, body = await site.ask("/metrics")
    assert (response.status, body) == (200, b"dbc_up 1\n")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4"


async def test_an_exposition_may_take_its_time_in_a_coroutine() -> None:
    async def expose(_headers: Mapping[str, str], _query: Mapping[str, list[str]], /) -> ReplyLike:
        await asyncio.sleep(0)
        return Reply(200, {}, b"dbc_up 0\n")

    server = WebServer(replace(Fleet().sources(), exposition=expose), FakeClock())
    (address,) = await server.start("127.0.0.1:0")
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as response:
        assert await response.read() == b"dbc_up 0\n"
    await server.stop()


async def test_the_exposition_gets_headers_without_regard_to_case_and_every_query_value(site: Site) -> None:
    await site.ask("/metrics?name[]=a&name[]=b&collect[]=c", ACCEPT="text/plain")
    headers, query = site.shown.asked[0]
    assert headers["accept"] == "text/plain"
    assert query == {"name[]": ["a", "b"], "collect[]": ["c"]}


async def test_repeated_headers_reach_the_exposition_joined(site: Site) -> None:
    several = [("Accept", "text/plain"), ("Accept", "application/openmetrics-text;q=0.5")]
    async with site.session.get(site.base + "/metrics", headers=several):
        headers, _ = site.shown.asked[0]
    assert headers["Accept"] == "text/plain, application/openmetrics-text;q=0.5"


async def test_status_and_headers_of_the_exposition_are_kept(site: Site) -> None:
    site.shown.exposition = Reply(304, {"ETag": 'W/"7"', "Vary": "Accept, Accept-Encoding"}, b"")
    response, body = await site.ask("/metrics")
    assert (response.status, body) == (304, b"")
    assert response.headers["ETag"] == 'W/"7"'


async def test_a_body_encoded_already_is_left_alone(site: Site) -> None:
    packed = gzip.compress(b"x" * 5000)
    site.shown.exposition = Reply(200, {"Content-Encoding": "gzip"}, packed)
    response, body = await site.ask("/metrics", Accept_Encoding="gzip")
    assert body == packed
    assert response.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("size", [2_000, 3_000_000])
async def test_a_body_in_pieces_is_sent_whole_and_compressed_where_that_is_welcome(
    site: Site, size: int
) -> None:
    pieces = [b"a" * (size // 2), b"b" * (size // 2)]
    site.shown.exposition = Reply(200, {"Vary": "Accept"}, pieces)
    response, body = await site.ask("/metrics")
    assert body == b"".join(pieces)
    assert "Content-Encoding" not in response.headers
    response, body = await site.ask("/metrics", Accept_Encoding="gzip")
    assert gzip.decompress(body) == b"".join(pieces)
    assert response.headers["Vary"] == "Accept, Accept-Encoding"


async def test_metrics_health_and_the_landing_page_answer_while_targets_and_clients_fail(site: Site) -> None:
    site.shown.broken = True
    for path in ("/metrics", "/-/healthy", "/-/ready", "/"):
        response, body = await site.ask(path)
        assert response.status == 200
        assert b"secret-in-an-exception" not in body
    assert "cannot be shown now" in await site.text("/")


async def test_a_failing_page_answers_500_without_the_cause(site: Site) -> None:
    site.shown.broken = True
    for path in PAGES[1:]:
        response, body = await site.ask(path)
        assert response.status == 500
        assert b"secret-in-an-exception" not in body


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
async def test_health_and_readiness_answer_200_or_503_with_the_reason(site: Site, path: str) -> None:
    assert (await site.ask(path))[0].status == 200
    site.shown.health = site.shown.ready = Health(False, "no heartbeat for 40 s")
    response, body = await site.ask(path)
    assert (response.status, body) == (503, b"no heartbeat for 40 s\n")
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_failing_check_is_not_healthy() -> None:
    def fail() -> Health:
        raise RuntimeError("secret-in-an-exception")

    sources = Fleet().sources()
    server = WebServer(replace(sources, health=fail), FakeClock())
    (address,) = await server.start("127.0.0.1:0")
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/-/healthy") as response:
        assert response.status == 503
        assert "secret" not in await response.text()
    await server.stop()


async def test_head_answers_like_get_without_a_body(site: Site) -> None:
    for path in GETTERS:
        got, body = await site.ask(path)
        head, nothing = await site.ask(path, "HEAD")
        assert (head.status, nothing) == (got.status, b"")
        assert head.headers["Content-Length"] == str(len(body))
        assert head.headers["Content-Type"] == got.headers["Content-Type"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused_with_what_is_allowed(site: Site, method: str) -> None:
    for path in GETTERS:
        response, _ = await site.ask(path, method)
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    "path", ["/nothing", "/targets/nobody", "/metrics/", "/-/quit", "/targets/../../etc/passwd"]
)
async def test_what_does_not_exist_is_not_found(site: Site, path: str) -> None:
    assert (await site.ask(path))[0].status == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_reload_does_not_exist_without_authentication(site: Site, method: str) -> None:
    response, _ = await site.ask("/-/reload", method)
    assert response.status == 404
    assert site.shown.reloads == 0


async def test_every_answer_carries_safe_headers_and_no_version_of_the_server(site: Site) -> None:
    for path in (*GETTERS, "/nothing", "/targets?sort=x"):
        response, _ = await site.ask(path)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "deny"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Server"] == "dbc-exporter"


async def test_pages_name_no_other_origin_and_allow_no_inline_code_but_their_own(site: Site) -> None:
    for path in PAGES:
        response, body = await site.ask(path)
        policy = response.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert b"src=" not in body.replace(b"data:image", b"")
        assert b" style=" not in body
        assert b" onclick=" not in body


async def test_names_labels_and_errors_are_escaped(site: Site) -> None:
    evil = "<script>alert(1)</script>\"'"
    node = healthy_node(0)
    broken = [replace(view, last_error=evil) for view in node.collectors]
    shown = healthy_node(0, name=evil, labels={"site": evil}, client=evil, manager=evil, collectors=broken)
    site.shown.targets = [shown]
    for path in ("/targets", f"/targets/{shown.id}", "/targets?q=" + "%3Cscript%3Ealert(1)", "/"):
        page = await site.text(path)
        assert "<script>alert" not in page
    assert html.escape(evil) in await site.text("/targets")


async def test_a_page_is_shown_also_for_a_name_that_is_no_unicode(site: Site) -> None:
    site.shown.targets = [healthy_node(0, name="gpu-\ud800")]
    assert "gpu-?" in await site.text("/targets")


async def test_the_landing_page_shows_the_process_its_clients_and_the_fleet(site: Site) -> None:
    page = await site.text("/")
    for text in (
        "1.2.3",
        "/etc/dbc-exporter/config.yml",
        "client-0",
        "wedged",
        "node_info 3/16",
        'href="./metrics"',
    ):
        assert text in page
    assert "<b>40</b><span>watched" in page
    assert "<b>4</b><span>down" in page


async def test_the_list_shows_a_page_of_a_large_fleet_and_leads_to_the_next(site: Site) -> None:
    site.shown.targets = fleet(2000)
    first, second = await site.text("/targets?sort=name"), await site.text("/targets?sort=name&page=2")
    assert first.count("<tr>") == second.count("<tr>") == 101
    assert "1 to 100 of" in first
    assert "101 to 200 of" in second
    assert 'rel="next"' in first
    assert 'rel="prev"' not in first
    assert 'rel="prev"' in second


async def test_a_page_beyond_the_last_shows_the_last(site: Site) -> None:
    page = await site.text("/targets?page=99")
    assert "40 targets" in page
    assert page.count("<tr>") == 41


async def test_an_empty_fleet_and_an_empty_result_say_so(site: Site) -> None:
    assert "No target matches." in await site.text("/targets?q=nothing-like-it")
    site.shown.targets = []
    assert "No target is watched yet." in await site.text("/targets")


async def test_the_detail_page_shows_each_collector(site: Site) -> None:
    down = site.shown.targets[3]
    page = await site.text(f"/targets/{down.id}")
    for view in down.collectors:
        assert f">{view.name}</td>" in page
    assert "node_timeout: mining_nodes timeout" in page
    assert 'href="../metrics"' in page


@pytest.mark.parametrize(
    ("path", "accept"), [("/targets?format=json", "text/html"), ("/targets", "application/json")]
)
async def test_the_list_is_json_by_parameter_or_by_accept(site: Site, path: str, accept: str) -> None:
    response, body = await site.ask(path, Accept=accept)
    assert response.headers["Content-Type"] == "application/json"
    answer = json.loads(body)
    assert (answer["total"], answer["matched"], len(answer["targets"])) == (40, 40, 40)
    assert answer["generated_timestamp_seconds"] == NOW


async def test_html_by_parameter_wins_over_accept(site: Site) -> None:
    response, _ = await site.ask("/targets?format=html", Accept="application/json")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_json_has_every_match_whatever_the_page(site: Site) -> None:
    site.shown.targets = fleet(2000)
    answer = json.loads(await site.text("/targets?format=json&condition=down&page=2"))
    assert (answer["total"], answer["matched"], len(answer["targets"])) == (2000, 200, 200)


async def test_json_says_null_for_what_is_unknown(site: Site) -> None:
    never = site.shown.targets[7]
    answer = json.loads(await site.text(f"/targets/{never.id}?format=json"))["target"]
    assert (answer["name"], answer["up"], answer["visible"]) == (None, None, False)
    view = answer["collectors"][0]
    assert view["state"] == "never"
    assert (view["last_success_timestamp_seconds"], view["age_seconds"]) == (None, None)


@pytest.mark.parametrize("query", ["format=xml", "page=0", "condition=ill", "freshness=x", "sort=size"])
async def test_a_parameter_that_cannot_be_understood_is_a_400_that_names_it(site: Site, query: str) -> None:
    response, body = await site.ask(f"/targets?{query}")
    assert response.status == 400
    assert body.decode().startswith(query.split("=", maxsplit=1)[0])


async def test_a_probe_is_answered_for_a_watched_target(site: Site) -> None:
    one = site.shown.targets[0].id
    response, body = await site.ask(f"/probe?target={one}&module=any", Accept="text/plain")
    assert (response.status, body) == (200, b"dbc_probe_success 1\n")
    assert site.shown.probed == [(one, 9.5, "text/plain")]


@pytest.mark.parametrize(("given", "left"), [("30", 29.5), ("2.500000", 2.0), ("0.5", 0.0), ("0.3", 0.0)])
async def test_a_probe_has_the_scrapes_timeout_less_half_a_second(
    site: Site, given: str, left: float
) -> None:
    one = site.shown.targets[0].id
    await site.ask(f"/probe?target={one}", X_Prometheus_Scrape_Timeout_Seconds=given)
    assert site.shown.probed[0][1] == left


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "soon", ""])
async def test_a_timeout_that_is_no_time_is_refused_by_the_headers_name(site: Site, given: str) -> None:
    one = site.shown.targets[0].id
    response, body = await site.ask(f"/probe?target={one}", X_Prometheus_Scrape_Timeout_Seconds=given)
    assert response.status == 400
    assert body.startswith(b"X-Prometheus-Scrape-Timeout-Seconds")
    assert site.shown.probed == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?target=", 400),
        ("?target=http://169.254.169.254/", 400),
        (f"?target={'A' * 64}", 400),
        (f"?target={'a' * 64}&target={'b' * 64}", 400),
        (f"?target={'a' * 64}", 404),
    ],
)
async def test_only_watched_targets_are_probed(site: Site, query: str, status: int) -> None:
    response, body = await site.ask(f"/probe{query}")
    assert response.status == status
    assert b"target" in body


async def test_a_probe_is_never_made_for_its_head(site: Site) -> None:
    response, _ = await site.ask(f"/probe?target={site.shown.targets[0].id}", "HEAD")
    assert response.status == 405
    assert site.shown.probed == []


async def discovered(site: Site, query: str) -> list[dict[str, Any]]:
    response, body = await site.ask(f"/sd?{query}")
    assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
    groups: list[dict[str, Any]] = json.loads(body)
    return groups


async def test_discovery_lists_every_target_for_probes(site: Site) -> None:
    groups = await discovered(site, "job=probe")
    assert [group["targets"] for group in groups] == [[target.id] for target in site.shown.targets]
    server = site.shown.targets[8]
    assert groups[8]["labels"] == {
        "__metrics_path__": "/probe",
        "__param_target": server.id,
        "instance": server.id,
        "__meta_dbc_node_id": server.id,
        "__meta_dbc_kind": "bare_metal_server",
        "__meta_dbc_name": "gpu-008",
        "__meta_dbc_manager_id": server.manager,
        "__meta_dbc_label_site": "oslo",
        "__meta_dbc_label_rack": "r1",
    }


async def test_discovery_leaves_out_labels_that_are_unknown(site: Site) -> None:
    site.shown.targets = [healthy_node(0, name=None, labels={})]
    ((group),) = await discovered(site, "job=probe")
    assert not {"__meta_dbc_name", "__meta_dbc_manager_id"} & group["labels"].keys()


@pytest.mark.parametrize(
    ("address", "query", "found"),
    [
        ("gpu1.example", "", "gpu1.example:9100"),
        ("10.0.0.1", "&port=9400", "10.0.0.1:9400"),
        ("10.0.0.1:9835", "&port=9400", "10.0.0.1:9835"),
        ("2001:db8::1", "", "[2001:db8::1]:9100"),
        ("[2001:db8::1]:1", "", "[2001:db8::1]:1"),
    ],
)
async def test_discovery_lists_machines_by_the_address_that_their_label_gives(
    site: Site, address: str, query: str, found: str
) -> None:
    machine = healthy_node(0, labels={"address": address, "site": "oslo"})
    site.shown.targets = [machine, healthy_node(1)]
    ((group),) = await discovered(site, f"job=node_exporter{query}")
    assert group["targets"] == [found]
    assert group["labels"]["node_id"] == machine.id
    assert group["labels"]["__meta_dbc_label_site"] == "oslo"
    assert "__metrics_path__" not in group["labels"]


async def test_discovery_lists_the_exporter_of_every_shard(site: Site) -> None:
    site.shown.total_shards = 3
    groups = await discovered(site, "job=shard&address=dbc-{shard}.dbc.example:10177")
    assert [group["targets"] for group in groups] == [
        [f"dbc-{shard}.dbc.example:10177"] for shard in range(3)
    ]
    assert groups[2]["labels"] == {"__meta_dbc_shard": "2", "__meta_dbc_total_shards": "3"}


async def test_an_empty_inventory_is_an_empty_list_and_one_not_known_yet_is_none(site: Site) -> None:
    site.shown.targets = []
    assert await discovered(site, "job=probe") == []
    site.shown.listable = Health(False, "waiting for the first list")
    for job in ("probe", "node_exporter"):
        response, body = await site.ask(f"/sd?job={job}")
        assert (response.status, body) == (503, b"waiting for the first list\n")


async def test_the_shards_are_known_before_any_machine_is(site: Site) -> None:
    site.shown.listable = Health(False, "waiting for the first list")
    assert len(await discovered(site, "job=shard&address=dbc-{shard}:10177")) == 1
    site.shown.ready = Health(False, "waiting for the first answers")
    response, body = await site.ask("/sd?job=shard&address=dbc-{shard}:10177")
    assert (response.status, body) == (503, b"waiting for the first answers\n")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "job: must be one of probe, node_exporter, shard"),
        ("?job=shards", "job: must be one of"),
        ("?job=shard", "address: must be"),
        ("?job=shard&address=dbc:10177", "address: must be"),
        ("?job=node_exporter&port=0", "port: must be"),
        ("?job=node_exporter&port=65536", "port: must be"),
        ("?job=node_exporter&port=http", "port: must be"),
        (f"?job=node_exporter&port={'9' * 5000}", "port: must be"),
    ],
)
async def test_a_discovery_that_cannot_be_understood_is_refused(site: Site, query: str, said: str) -> None:
    response, body = await site.ask(f"/sd{query}")
    assert response.status == 400
    assert body.decode().startswith(said)


async def test_another_telemetry_path_is_served_and_linked() -> None:
    server = WebServer(Fleet().sources(), FakeClock(), telemetry_path="/telemetry")
    (address,) = await server.start("127.0.0.1:0")
    async with aiohttp.ClientSession(f"http://{address}") as session:
        assert await (await session.get("/telemetry")).text() == "dbc_up 1\n"
        assert 'href="./telemetry"' in await (await session.get("/")).text()
        assert (await session.get("/metrics")).status == 404
    await server.stop()


async def test_metrics_may_take_the_root() -> None:
    server = WebServer(Fleet().sources(), FakeClock(), telemetry_path="/")
    (address,) = await server.start("127.0.0.1:0")
    async with aiohttp.ClientSession(f"http://{address}") as session:
        assert await (await session.get("/")).text() == "dbc_up 1\n"
    await server.stop()


async def test_under_a_prefix_every_page_and_nothing_else_is_served() -> None:
    server = WebServer(Fleet().sources(), FakeClock(), prefix="/a/dbc")
    (address,) = await server.start("127.0.0.1:0")
    async with aiohttp.ClientSession(f"http://{address}") as session:
        for group in await (await session.get("/a/dbc/sd?job=probe")).json():
            assert group["labels"]["__metrics_path__"] == "/a/dbc/probe"
        for path in GETTERS:
            assert (await session.get(f"/a/dbc{path}")).status == 200
            if path != "/":
                assert (await session.get(path)).status == 404
    await server.stop()


@pytest.mark.parametrize("external", [None, "https://dbc.example/dbc"])
async def test_above_the_prefix_one_is_sent_to_the_landing_page(external: str | None) -> None:
    server = WebServer(Fleet().sources(), FakeClock(), prefix="/dbc", external_url=external)
    (address,) = await server.start("127.0.0.1:0")
    async with aiohttp.ClientSession(f"http://{address}") as session:
        for path in ("/", "/dbc"):
            response = await session.get(path, allow_redirects=False)
            assert (response.status, response.headers["Location"]) == (302, f"{external or '/dbc'}/")
    await server.stop()


@pytest.mark.parametrize("prefix", ["", "/a/dbc"])
async def test_every_link_of_every_page_leads_to_a_page_of_ours(prefix: str) -> None:
    server = WebServer(Fleet().sources(), FakeClock(), prefix=prefix)
    (address,) = await server.start("127.0.0.1:0")
    async with aiohttp.ClientSession() as session:
        for path in PAGES:
            page = f"http://{address}{prefix}{path}"
            body = await (await session.get(page)).text()
            links = {
                urljoin(page, html.unescape(link)) for link in re.findall(r'<a [^>]*href="([^"]+)"', body)
            }
            assert len(links) > 5
            for link in links:
                assert (await session.get(link)).status == 200, link
    await server.stop()


async def test_without_a_host_both_families_share_one_port() -> None:
    server = WebServer(Fleet().sources(), FakeClock())
    bound = await server.start(":0")
    assert len({address.port for address in bound}) == 1
    async with aiohttp.ClientSession() as session:
        for address in bound:
            host = "[::1]" if ":" in address.host else "127.0.0.1"
            assert (await session.get(f"http://{host}:{address.port}/-/healthy")).status == 200
    await server.stop()


async def test_several_addresses_and_a_unix_socket_serve_the_same(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    server = WebServer(Fleet().sources(), FakeClock())
    bound = await server.start("127.0.0.1:0", f"unix://{path}", "[::1]:0")
    assert [address.host for address in bound] == ["127.0.0.1", "::1"]
    async with aiohttp.ClientSession() as session:
        for address in bound:
            assert await (await session.get(f"http://{address}/metrics")).text() == "dbc_up 1\n"
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
        assert await (await session.get("http://anything/metrics")).text() == "dbc_up 1\n"
    await server.stop()
    assert not path.exists()


async def test_when_two_addresses_overlap_nothing_listens(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    port = free_port()
    server = WebServer(Fleet().sources(), FakeClock())
    with pytest.raises(ListenError, match="in use"):
        await server.start(f"unix://{path}", f"127.0.0.1:{port}", f":{port}")
    assert not path.exists()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_stopping_refuses_new_connections_and_may_be_done_twice() -> None:
    server = WebServer(Fleet().sources(), FakeClock())
    (address,) = await server.start("127.0.0.1:0")
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address.host, address.port)
    await server.stop()
