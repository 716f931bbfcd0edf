"""A scrape as other programs read it, and the catalogue held against it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Sample

from dbc_exporter import facts
from dbc_exporter.metrics.catalogue import ALL, FAMILIES, family_of
from dbc_exporter.metrics.exposition import Exposition, Reply
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from tests.unit.metrics.fleet import NODE, FakeClock, full_own, full_store

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> Store:
    return full_store(clock)


@pytest.fixture
def exposition(store: Store) -> Exposition:
    return Exposition(store, full_own(), instance="test")


def parse_openmetrics(written: str) -> Iterable[Metric]:
    parsed: Iterable[Metric] = openmetrics_parser.text_string_to_metric_families(written)  # type: ignore[no-untyped-call]  # the library leaves it untyped
    return parsed


def text(reply: Reply) -> str:
    return reply.body.decode()


def all_samples(families: Iterable[Metric]) -> list[Sample]:
    return [sample for family in families for sample in family.samples]


def comparable(samples: Iterable[Sample]) -> set[tuple[str, tuple[tuple[str, str], ...], float]]:
    moving = ("process_", "python_", "dbc_exporter_scrapes")
    return {
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for sample in samples
        if not sample.name.startswith(moving)
    }


class TestReaders:
    def test_text_and_openmetrics_hold_the_same_series(self, exposition: Exposition) -> None:
        plain = comparable(all_samples(parse_text(text(exposition.reply({}, {})))))
        openmetrics = comparable(all_samples(parse_openmetrics(text(exposition.reply(OPENMETRICS, {})))))
        assert len(plain) > 150
        assert plain == openmetrics

    def test_every_family_is_one_group_with_its_metadata_once(self, exposition: Exposition) -> None:
        written = text(exposition.reply({}, {})).splitlines()
        heads = [line.split()[2] for line in written if line.startswith("# TYPE")]
        assert len(set(heads)) == len(heads)
        assert [line.split()[2] for line in written if line.startswith("# HELP")] == heads
        current = ""
        for line in written:
            if line.startswith("# TYPE"):
                current = line.split()[2]
            elif not line.startswith("#"):
                family = family_of(line.split("{")[0].split(" ")[0])
                assert family is not None
                assert family.name == current

    def test_no_series_comes_twice(self, exposition: Exposition) -> None:
        series = [line.rsplit(" ", 1)[0] for line in text(exposition.reply({}, {})).splitlines()]
        assert len(set(series)) == len(series)

    def test_samples_carry_no_timestamps(self, exposition: Exposition) -> None:
        samples = all_samples(parse_text(text(exposition.reply({}, {}))))
        assert [sample for sample in samples if sample.timestamp is not None] == []

    def test_openmetrics_ends_with_its_mark_and_text_does_not(self, exposition: Exposition) -> None:
        assert text(exposition.reply(OPENMETRICS, {})).endswith("\n# EOF\n")
        assert "# EOF" not in text(exposition.reply({}, {}))

    def test_openmetrics_names_counters_without_total_and_units(self, exposition: Exposition) -> None:
        written = text(exposition.reply(OPENMETRICS, {}))
        assert "# TYPE dbc_parse_failures counter\n" in written
        assert "# UNIT dbc_node_memory_size_bytes bytes\n" in written
        assert "# TYPE dbc_parse_failures_total counter\n" in text(exposition.reply({}, {}))


class TestCatalogueAgrees:
    def test_every_family_of_the_catalogue_is_emitted(self, exposition: Exposition) -> None:
        written = text(exposition.reply({}, {}))
        missing = [family for family in ALL if f"# TYPE {family.name} " not in written]
        assert {family.collector for family in missing} == {"probe"}  # those have a page of their own

    def test_every_emitted_name_type_label_and_closed_value_is_declared(self, exposition: Exposition) -> None:
        written = text(exposition.reply({}, {}))
        types = {
            line.split()[2]: line.split()[3] for line in written.splitlines() if line.startswith("# TYPE")
        }
        assert types == {name: FAMILIES[name].type for name in types}
        for sample in all_samples(parse_text(written)):
            family = family_of(sample.name)
            assert family is not None, sample.name
            names = {name for name in sample.labels if not name.startswith("label_")} - {"le"}
            assert names == set(family.labels), sample.name
            assert family.user_labels or not any(name.startswith("label_") for name in sample.labels)
            for name, values in family.enums.items():
                assert sample.labels[name] in values, sample

    def test_every_state_set_has_exactly_one_state_at_1(self, exposition: Exposition) -> None:
        sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for sample in all_samples(parse_text(text(exposition.reply({}, {})))):
            family = family_of(sample.name)
            if family is not None and family.name.endswith("_state") and "state" in family.enums:
                rest = tuple((name, value) for name, value in sample.labels.items() if name != "state")
                sums[sample.name, rest] = sums.get((sample.name, rest), 0) + sample.value
        assert set(sums.values()) == {1.0}

    def test_series_are_counted_as_they_are_emitted(self, exposition: Exposition) -> None:
        samples = all_samples(parse_text(text(exposition.reply({}, {}))))
        said = {s.labels["family"]: s.value for s in samples if s.name == "dbc_exporter_series"}
        for name in ("dbc_vm_state", "dbc_node_disk_info", "dbc_collector_interval_seconds"):
            assert said[name] == len([sample for sample in samples if sample.name == name])


class TestCompression:
    def test_gzip_is_one_member_and_holds_the_plain_text(self, exposition: Exposition) -> None:
        query = {"collect[]": ["node", "tasks"]}
        reply = exposition.reply({"accept-encoding": "gzip"}, query)
        reader = zlib.decompressobj(wbits=31)
        body = reader.decompress(reply.body)
        assert (reader.eof, reader.unused_data) == (True, b"")
        assert body == exposition.reply({}, query).body == gzip.decompress(reply.body)
        assert reply.headers["Content-Encoding"] == "gzip"

    def test_a_reader_that_refuses_gzip_gets_plain_text(self, exposition: Exposition) -> None:
        reply = exposition.reply({"Accept-Encoding": "gzip;q=0"}, {})
        assert "Content-Encoding" not in reply.headers
        assert reply.body.startswith(b"# HELP")

    def test_caches_are_told_what_the_answer_depends_on(self, exposition: Exposition) -> None:
        assert exposition.reply({}, {}).headers["Vary"] == "Accept, Accept-Encoding"


class TestFilters:
    def test_collect_serves_the_families_of_a_collector(self, exposition: Exposition) -> None:
        names = {
            sample.name
            for sample in all_samples(parse_text(text(exposition.reply({}, {"collect[]": ["power"]}))))
        }
        assert names == {"dbc_bare_metal_power_state", "dbc_bare_metal_bmc_reachable"}

    def test_name_serves_the_families_of_samples(self, exposition: Exposition) -> None:
        query = {"name[]": ["dbc_node_up", "dbc_client_request_duration_seconds_count", "no_such_name"]}
        written = text(exposition.reply({}, query))
        heads = [line.split()[2] for line in written.splitlines() if line.startswith("# TYPE")]
        assert heads == ["dbc_client_request_duration_seconds", "dbc_node_up"]

    def test_both_together_narrow_each_other(self, exposition: Exposition) -> None:
        query = {"name[]": ["dbc_node_up", "dbc_vm_gpus"], "collect[]": ["vms"]}
        assert {s.name for s in all_samples(parse_text(text(exposition.reply({}, query))))} == {"dbc_vm_gpus"}

    def test_a_name_that_matches_nothing_gives_an_empty_and_valid_page(self, exposition: Exposition) -> None:
        assert text(exposition.reply({}, {"name[]": ["no_such_name"]})) == ""
        assert text(exposition.reply(OPENMETRICS, {"name[]": ["no_such_name"]})) == "# EOF\n"

    def test_an_unknown_collector_is_refused_by_name(self, exposition: Exposition) -> None:
        reply = exposition.reply({}, {"collect[]": ["nodes"]})
        assert reply.status == 400
        assert "unknown collect[]: nodes" in text(reply)


class TestEntityTag:
    query = {"collect[]": ["node"]}  # noqa: RUF012 - read only

    def test_an_unchanged_selection_is_not_sent_again(self, exposition: Exposition) -> None:
        etag = exposition.reply({}, self.query).headers["ETag"]
        reply = exposition.reply({"If-None-Match": etag}, self.query)
        assert (reply.status, reply.body, reply.headers["ETag"]) == (304, b"", etag)

    def test_a_changed_store_has_another_tag(self, exposition: Exposition, store: Store) -> None:
        etag = exposition.reply({}, self.query).headers["ETag"]
        store.commit(Owner(node_id=NODE), "node", {"": facts.NodeConfig(gpus=1)})
        assert exposition.reply({"If-None-Match": etag}, self.query).status == 200

    def test_a_changed_value_of_our_own_has_another_tag(self, store: Store) -> None:
        own = full_own()
        exposition = Exposition(store, own)
        query = {"name[]": ["dbc_client_requests_total"]}
        etag = exposition.reply({}, query).headers["ETag"]
        assert exposition.reply({"If-None-Match": etag}, query).status == 304
        own.requests.labels("left", "query_node_info").inc()
        assert exposition.reply({"If-None-Match": etag}, query).status == 200

    @pytest.mark.parametrize(
        ("headers", "query"), [(OPENMETRICS, query), ({}, {"collect[]": ["tasks"]}), ({}, {})]
    )
    def test_other_selections_and_formats_have_other_tags(
        self, exposition: Exposition, headers: dict[str, str], query: dict[str, list[str]]
    ) -> None:
        etag = exposition.reply({}, self.query).headers["ETag"]
        assert exposition.reply(headers | {"If-None-Match": etag}, query).status == 200

    def test_another_process_has_other_tags(self, store: Store) -> None:
        one, two = Exposition(store, full_own()), Exposition(store, full_own())
        etag = one.reply({}, self.query).headers["ETag"]
        assert two.reply({"If-None-Match": etag}, self.query).status == 200


class TestNeverFails:
    def test_values_that_are_too_old_are_not_served_though_nobody_swept(
        self, exposition: Exposition, clock: FakeClock
    ) -> None:
        clock.advance(180)
        written = text(exposition.reply({}, {}))
        assert "dbc_node_cpu_cores" not in written
        assert "dbc_collector_last_success_timestamp_seconds{" in written

    def test_a_collector_of_this_process_that_fails_costs_only_its_own_families(
        self, store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        own = full_own()

        def broken() -> Iterable[Metric]:
            raise OSError("no /proc")

        own._source({"dbc_client_requests_total"}, broken)
        written = text(Exposition(store, own).reply({}, {}))
        assert "dbc_node_cpu_cores{" in written
        assert "process_cpu_seconds_total" in written
        assert "no /proc" in caplog.text

    def test_an_empty_store_serves_the_exporter_itself(self, clock: FakeClock) -> None:
        own = OwnMetrics(version="0.1.0", python="3.11")
        written = text(Exposition(Store(clock), own).reply({}, {}))
        assert 'dbc_exporter_build_info{version="0.1.0",python="3.11"} 1.0\n' in written
        assert "dbc_node" not in written

    def test_times_of_our_own_are_absent_until_they_are_set(self, clock: FakeClock) -> None:
        own = OwnMetrics(version="0.1.0", python="3.11")
        exposition = Exposition(Store(clock), own)
        name = "dbc_exporter_scheduler_heartbeat_timestamp_seconds"
        assert text(exposition.reply({}, {"name[]": [name]})) == ""
        own.scheduler_heartbeat.set(5)
        assert f"{name} 5.0\n" in text(exposition.reply({}, {"name[]": [name]}))

    def test_series_of_a_client_that_left_are_gone(self, store: Store) -> None:
        own = full_own()
        own.forget_client("left")
        written = text(Exposition(store, own).reply({}, {"collect[]": ["exporter"]}))
        assert 'client="left"' not in written

    def test_what_a_plan_took_stays_as_it_was(self, exposition: Exposition, store: Store) -> None:
        plan = exposition.plan({}, {"collect[]": ["node"]})
        before = exposition.reply({}, {"collect[]": ["node"]}).body
        store.set_targets([])
        assert plan.build().body == before
