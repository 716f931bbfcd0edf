"""The naming rules of Prometheus, held against every declared family."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from dbc_exporter.metrics import docs
from dbc_exporter.metrics.catalogue import ALL, FAMILIES, family_of
from dbc_exporter.metrics.family import OWNERS, Family, MetricType

FORBIDDEN_LABELS = {"instance", "job", "type", "env", "cluster", "region", "zone", "owner", "le", "quantile"}
UNITS = ("seconds", "bytes", "ratio", "hertz", "watts", "celsius")
WRONG_UNITS = re.compile(r"_(percent|ms|millis|minutes|hours|mb|gb|kb|mhz|ghz|age)(_|$)")
every_family = pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)


def test_no_name_is_declared_twice() -> None:
    assert [name for name, count in Counter(family.name for family in ALL).items() if count > 1] == []


@every_family
def test_names_are_plain_and_carry_our_prefix(family: Family) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", family.name)
    assert family.name.startswith(("process_", "python_") if family.collector == "process" else "dbc_")


@every_family
def test_counters_and_only_counters_end_in_total(family: Family) -> None:
    assert family.name.endswith("_total") == (family.type is MetricType.COUNTER)


@every_family
def test_names_end_in_their_base_unit(family: Family) -> None:
    ends = [unit for unit in UNITS if family.stem.endswith(f"_{unit}")]
    assert ends == ([family.unit] if family.unit else [])
    assert not WRONG_UNITS.search(family.name)


@every_family
def test_names_do_not_end_like_samples_of_other_types(family: Family) -> None:
    assert not family.name.endswith(("_count", "_sum", "_bucket", "_created", "_gauge", "_counter"))


@every_family
def test_help_is_a_sentence_and_says_when_the_value_is_polled(family: Family) -> None:
    assert family.help[0].isupper() or family.help[0].isdigit()
    assert family.help.endswith(".")
    assert "\n" not in family.help
    if family.source != "this exporter":
        assert family.help.endswith(f"Polled by the {family.collector} collector.")


@every_family
def test_labels_are_plain_distinct_and_clash_with_no_target_label(family: Family) -> None:
    assert len(set(family.labels)) == len(family.labels)
    assert not FORBIDDEN_LABELS & set(family.labels)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in family.labels)


@every_family
def test_mutable_texts_are_labels_of_info_families_only(family: Family) -> None:
    texts = {"version", "os", "cpu_model", "description", "medium", "uuid", "created_local", "python"}
    assert not texts & set(family.labels) or family.name.endswith("_info")


@every_family
def test_closed_value_sets_belong_to_declared_labels_and_hold_distinct_slugs(family: Family) -> None:
    assert set(family.enums) <= set(family.labels)
    for values in family.enums.values():
        assert len(set(values)) == len(values) > 0
        assert all(re.fullmatch(r"[a-z0-9_]+", value) for value in values)


@every_family
def test_every_state_set_can_say_unknown(family: Family) -> None:
    if "state" in family.enums:
        assert "unknown" in family.enums["state"]


@every_family
def test_every_family_has_one_known_owner(family: Family) -> None:
    assert family.collector in OWNERS


def test_every_owner_fills_some_family() -> None:
    assert {family.collector for family in ALL} == set(OWNERS)


@pytest.mark.parametrize(
    ("sample", "family"),
    [
        ("dbc_node_up", "dbc_node_up"),
        ("dbc_client_requests_total", "dbc_client_requests_total"),
        ("dbc_client_request_duration_seconds_bucket", "dbc_client_request_duration_seconds"),
        ("dbc_client_request_duration_seconds_sum", "dbc_client_request_duration_seconds"),
        ("dbc_client_request_duration_seconds_count", "dbc_client_request_duration_seconds"),
    ],
)
def test_a_sample_name_leads_to_its_family(sample: str, family: str) -> None:
    assert family_of(sample) is FAMILIES[family]


@pytest.mark.parametrize("sample", ["dbc_client_requests", "dbc_node_up_count", "nothing"])
def test_an_undeclared_sample_name_leads_nowhere(sample: str) -> None:
    assert family_of(sample) is None


def test_the_page_of_metrics_matches_the_catalogue() -> None:
    assert docs.main(["--check"]) == 0
