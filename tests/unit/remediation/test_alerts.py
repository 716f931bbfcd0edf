"""What is taken from a delivery of Alertmanager, and what is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.dbc.pool import Pool
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.own_remediation import RemediationMetrics
from dbc_exporter.metrics.store import Store
from dbc_exporter.remediation.alerts import BadDeliveryError, Delivery, TooManyAlertsError, parse
from dbc_exporter.remediation.build import Ground, Running, assemble
from dbc_exporter.remediation.model import Subject
from dbc_exporter.remediation.policy_file import LoadedPolicy
from dbc_exporter.remediation.sightings import Heard
from dbc_exporter.targets import Target
from tests.unit.remediation import scenes
from tests.unit.remediation.journals import WALL, HandClock, kinds, opened

NODE, STRANGER = "a" * 64, "b" * 64
WATCHDOG = "Watchdog"
# times are kept to the microsecond
START, START_UNIX = "2026-11-24T10:00:00.123456789+02:00", 1_795_507_200.123457
END, END_UNIX = "2026-11-24T08:05:00Z", 1_795_507_500.0
ZERO = "0001-01-01T00:00:00Z"


def an_alert(**changes: Any) -> dict[str, Any]:
    """An alert as Alertmanager sends it; `labels` are added to or, with `None`, taken from those it has."""
    labels = {"alertname": "VmUnresponsive", "node_id": NODE, "task_id": "vm1", **changes.pop("labels", {})}
    return {
        "status": "firing",
        "labels": {name: value for name, value in labels.items() if value is not None},
        "annotations": {"summary": "restart it", "action": "force_restart"},
        "startsAt": START,
        "endsAt": ZERO,
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": "00c5f3a1b2d4e6f8",
    } | changes


def a_payload(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "receiver": "dbc-exporter",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"node_id": NODE},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "version": "4",
        "groupKey": '{}:{node_id="a"}',
        "truncatedAlerts": 0,
    } | changes


def read(payload: Any) -> Delivery:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return parse(body, WATCHDOG, {NODE}.__contains__)


class TestADelivery:
    def test_brings_each_alert_as_it_was_heard(self) -> None:
        assert read(a_payload(an_alert())) == Delivery(
            (Heard("VmUnresponsive", Subject(NODE, "vm1"), "00c5f3a1b2d4e6f8", START_UNIX, firing=True),)
        )

    def test_tells_when_a_resolved_alert_ended(self) -> None:
        (one,) = read(a_payload(an_alert(status="resolved", endsAt=END))).heard
        assert (one.firing, one.starts_at, one.ends_at) == (False, START_UNIX, END_UNIX)

    def test_tells_no_end_of_a_firing_alert(self) -> None:
        (one,) = read(a_payload(an_alert(endsAt=END))).heard
        assert (one.firing, one.ends_at) == (True, None)

    def test_goes_by_each_alerts_status_not_the_groups(self) -> None:
        mixed = a_payload(an_alert(status="resolved", endsAt=END), an_alert(), status="firing")
        assert [one.firing for one in read(mixed).heard] == [False, True]

    def test_keeps_what_is_about_a_node_as_such(self) -> None:
        (one,) = read(a_payload(an_alert(labels={"task_id": None}))).heard
        assert one.subject == Subject(NODE)

    def test_takes_nothing_from_annotations_and_other_labels(self) -> None:
        plain = read(a_payload(an_alert()))
        dressed = an_alert(labels={"action": "power_reset", "mode": "act"}, annotations={"node_id": STRANGER})
        assert read(a_payload(dressed)) == plain

    def test_may_hold_keys_nobody_knows(self) -> None:
        assert read(a_payload(an_alert(novel={"a": [1]}), novel=None)) == read(a_payload(an_alert()))

    def test_may_be_empty(self) -> None:
        assert read(a_payload()) == Delivery()

    @pytest.mark.parametrize(
        "labels",
        [
            {"node_id": None},
            {"node_id": STRANGER},
            {"node_id": NODE.upper()},
            {"node_id": NODE + "\n"},
            {"node_id": NODE[:-1]},
            {"task_id": "vm1/../x"},
            {"task_id": "vm 1"},
            {"task_id": "v" * 65},
            {"task_id": "vm1\n"},
            {"alertname": None},
            {"alertname": ""},
            {"alertname": "x" * 201},
        ],
    )
    def test_counts_alerts_about_nobody_we_watch(self, labels: dict[str, str | None]) -> None:
        delivery = read(a_payload(an_alert(labels=labels), an_alert()))
        assert (len(delivery.heard), delivery.unmapped) == (1, 1)

    def test_tells_the_end_of_an_alert_also_of_whom_we_do_not_watch_now(self) -> None:
        gone = an_alert(status="resolved", labels={"node_id": STRANGER})
        [ended] = read(a_payload(gone)).heard
        assert (ended.subject.node_id, ended.firing) == (STRANGER, False)

    @pytest.mark.parametrize(("left_out", "truncated"), [(0, False), (1, True), (10**30, True)])
    def test_says_whether_alerts_were_left_out(self, left_out: int, truncated: bool) -> None:
        assert read(a_payload(truncatedAlerts=left_out)).truncated is truncated

    def test_of_an_old_alertmanager_left_nothing_out(self) -> None:
        payload = a_payload()
        del payload["truncatedAlerts"]
        assert read(payload).truncated is False

    def test_with_the_watchdog_is_a_sign_of_life_and_nothing_else(self) -> None:
        beat = an_alert(labels={"alertname": WATCHDOG})
        assert read(a_payload(beat)) == Delivery(watchdog=True)
        assert read(a_payload(beat | {"labels": {"alertname": WATCHDOG}})) == Delivery(watchdog=True)

    def test_with_the_watchdog_resolved_is_no_sign_of_life(self) -> None:
        assert read(a_payload(an_alert(status="resolved", labels={"alertname": WATCHDOG}))) == Delivery()

    def test_holds_a_thousand_alerts_at_most(self) -> None:
        assert len(read(a_payload(*[an_alert()] * 1_000)).heard) == 1_000
        with pytest.raises(TooManyAlertsError, match="alerts: more than 1000"):
            read(a_payload(*[an_alert()] * 1_001))


def remediation_in(directory: Path) -> Running:
    """Remediation as the exporter has it, watching one node."""
    clock = HandClock()
    return assemble(
        directory,
        LoadedPolicy(scenes.policy(), "abc", ""),
        Ground(Pool([], clock), lambda: (Target(NODE),)),
        store=Store(clock),
        clock=clock,
        intervals={},
        metrics=RemediationMetrics(OwnMetrics(version="", python="")),
    )


class TestADeliveryTooLarge:
    """Alertmanager does not repeat it, and an outage large enough for it is no time to act."""

    @pytest.fixture
    async def running(self, tmp_path: Path) -> AsyncIterator[Running]:
        running = remediation_in(tmp_path)
        yield running
        await running.stop()

    async def truncated(self, running: Running) -> tuple[float | None, float | None]:
        """When alerts were last left out: on disk, and as the planner sees it."""
        stored = await running.journal(lambda journal: journal.truncated_at())
        return stored, running.evidence.snapshot().fleet.truncated

    async def test_with_too_many_alerts_is_remembered_as_one_that_left_alerts_out(
        self, running: Running
    ) -> None:
        await running.take(json.dumps(a_payload(an_alert())).encode())
        assert await self.truncated(running) == (None, None)
        with pytest.raises(TooManyAlertsError):
            await running.take(json.dumps(a_payload(*[an_alert()] * 1_001)).encode())
        assert await self.truncated(running) == (WALL, WALL)

    async def test_with_too_many_bytes_is_remembered_as_one_that_left_alerts_out(
        self, running: Running
    ) -> None:
        await running.too_large()
        assert await self.truncated(running) == (WALL, WALL)

    async def test_is_remembered_over_a_restart(self, tmp_path: Path) -> None:
        running = remediation_in(tmp_path)
        await running.too_large()
        await running.stop()
        again = opened(tmp_path)
        assert (again.truncated_at(), kinds(again)) == (WALL, ["alerts_truncated"])
        again.close()

    async def test_that_is_no_delivery_leaves_no_trace(self, running: Running) -> None:
        with pytest.raises(BadDeliveryError):
            await running.take(json.dumps(a_payload(*[an_alert()] * 1_001, version="3")).encode())
        assert await self.truncated(running) == (None, None)


WRONG: dict[str, list[Any]] = {
    "startsAt": ["yesterday", 5, None, "2026-11-24T10:00:00", "2026-13-24T10:00:00Z"],
    "endsAt": ["soon", 5, "2026-11-24T10:00:00"],
    "fingerprint": ["", "xyz", 7, None, "a" * 33, "0a\n"],
    "labels": [None, [], "node_id", {"node_id": 5}, {"node_id": None}],
    "status": ["", "FIRING", None, "secret-word"],
}


class TestNoDelivery:
    @pytest.mark.parametrize(
        ("field", "value"), [(field, value) for field, values in WRONG.items() for value in values]
    )
    def test_is_one_with_an_alert_of_another_shape(self, field: str, value: Any) -> None:
        with pytest.raises(BadDeliveryError, match=field) as caught:
            read(a_payload(an_alert(), an_alert() | {field: value}))
        assert "[1]" in str(caught.value) or "[...]" in str(caught.value)

    @pytest.mark.parametrize("field", ["startsAt", "fingerprint", "labels", "status"])
    def test_is_one_with_an_alert_that_lacks_something(self, field: str) -> None:
        alert = an_alert()
        del alert[field]
        with pytest.raises(BadDeliveryError, match=field):
            read(a_payload(alert))

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"version": "3"}, "version"),
            ({"version": 4}, "version"),
            ({"version": None}, "version"),
            ({"alerts": None}, "alerts"),
            ({"alerts": {}}, "alerts"),
            ({"alerts": ["x"]}, "alerts"),
            ({"truncatedAlerts": "many"}, "truncatedAlerts"),
            ({"truncatedAlerts": None}, "truncatedAlerts"),
        ],
    )
    def test_is_one_of_another_shape(self, changes: dict[str, Any], field: str) -> None:
        with pytest.raises(BadDeliveryError, match=field):
            read(a_payload() | changes)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b'{"version": "4", "alerts": []}x',
            b"\xef\xbb\xbf{}",
            b"status=firing",
            b'{"version": "4", "alerts": [], "novel": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
            b'{"version": "4", "alerts": [], "novel": "\xff"}',
            b'{"version": "4", "alerts": [], "novel": NaN}',
        ],
    )
    def test_is_anything_that_is_no_json_in_utf_8(self, body: bytes) -> None:
        with pytest.raises(BadDeliveryError, match="no JSON"):
            read(body)

    def test_is_quoted(self) -> None:
        for field in WRONG:
            with pytest.raises(BadDeliveryError) as caught:
                read(a_payload(an_alert() | {field: "secret-word"}))
            assert "secret-word" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def check(delivery: Delivery, most: int) -> None:
    """Hold what was read to what may be believed."""
    assert len(delivery.heard) + delivery.unmapped <= most
    for one in delivery.heard:
        assert one.subject.node_id == NODE
        assert one.subject.task_id == "" or one.subject.task_id.isalnum()
        assert one.name != WATCHDOG


class TestWhateverComes:
    @given(st.binary(max_size=200))
    def test_bytes_are_a_delivery_or_refused(self, body: bytes) -> None:
        try:
            check(read(body), most=0)
        except BadDeliveryError:
            return

    @given(st.data())
    def test_a_damaged_delivery_is_a_delivery_or_refused(self, data: st.DataObject) -> None:
        alert = an_alert()
        alert[data.draw(st.sampled_from(sorted(alert)))] = data.draw(JSON)
        payload = a_payload(an_alert(), alert)
        if data.draw(st.booleans()):
            payload[data.draw(st.sampled_from(sorted(payload)))] = data.draw(JSON)
        try:
            check(read(payload), most=2)
        except BadDeliveryError:
            return

    @given(st.data())
    def test_a_delivery_with_a_byte_changed_is_a_delivery_or_refused(self, data: st.DataObject) -> None:
        body = bytearray(json.dumps(a_payload(an_alert())).encode())
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        try:
            check(read(bytes(body)), most=1)
        except BadDeliveryError:
            return

    @given(st.permutations([an_alert(), an_alert(status="resolved"), an_alert(labels={"node_id": STRANGER})]))
    def test_every_alert_is_read_whatever_stands_beside_it(self, alerts: list[dict[str, Any]]) -> None:
        together = read(a_payload(*alerts))
        alone = [read(a_payload(alert)) for alert in alerts]
        assert list(together.heard) == [one for delivery in alone for one in delivery.heard]
        assert together.unmapped == sum(delivery.unmapped for delivery in alone) == 1
