"""Log lines: one per event, readable by machines, without secrets, and without the chatter of libraries."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter import logs
from tests.logging_state import logging_restored

SEED = "0x" + "5e" * 32


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    with logging_restored():
        yield


def written(form: str = "logfmt", level: str = "info", secrets: tuple[str, ...] = ()) -> io.StringIO:
    stream = io.StringIO()
    logs.setup(level, form, secrets=secrets, stream=stream)
    return stream


def test_logfmt_has_time_level_event_and_fields() -> None:
    out = written()
    logs.get_logger("dbc_exporter.x").info(
        "client came back", client="a:1", seconds=1.5, first=True, why=None, said='a "b"\n'
    )
    assert re.fullmatch(
        r"ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info event=\"client came back\" client=a:1 seconds=1.5 "
        r"first=true why=null said=\"a \\\"b\\\"\\n\"\n",
        out.getvalue(),
    )


def test_json_keeps_types() -> None:
    out = written("json")
    logs.get_logger("dbc_exporter.x").warning("odd", count=3, ratio=0.5, ok=False, none=None, name="ä")
    line = json.loads(out.getvalue())
    assert {key: line[key] for key in line if key != "ts"} == {
        "level": "warn", "event": "odd", "count": 3, "ratio": 0.5, "ok": False, "none": None, "name": "ä",
    }  # fmt: skip


def test_a_field_cannot_pose_as_level_or_time() -> None:
    out = written("json")
    logs.get_logger("dbc_exporter.x").info("e", level="error", ts="never")
    line = json.loads(out.getvalue())
    assert (line["level"], line["level_"], line["ts_"]) == ("info", "error", "never")


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_secrets_are_hidden_wherever_they_stand(form: str) -> None:
    out = written(form, "debug", (SEED, "my session id"))
    log = logs.get_logger("dbc_exporter.x")
    told = f"signing with {SEED}"
    log.info(told, text=f"<{SEED[2:].upper()}>", session_sign="short", seen=["my session id"])
    log.debug("x", sign="ab" * 64, other="got " + "cd" * 64, url="http://user:pw@host/")
    logging.getLogger("httpx").warning("failed with %s", SEED)
    try:
        int(SEED)
    except ValueError:
        log.exception("broke")
    text = out.getvalue()
    for secret in (SEED[2:], SEED[2:].upper(), "short", "my session id", "ab" * 64, "cd" * 64, "user:pw"):
        assert secret not in text
    assert len(text.splitlines()) == 4


def test_node_ids_are_no_secrets() -> None:
    out = written()
    logs.get_logger("dbc_exporter.x").info("e", node_id="ab" * 32)
    assert "ab" * 32 in out.getvalue()


def test_an_exception_stays_on_its_line() -> None:
    out = written()
    try:
        int("no number")
    except ValueError:
        logs.get_logger("dbc_exporter.x").exception("broke")
    assert len(out.getvalue().splitlines()) == 1
    assert "ValueError" in out.getvalue()


def test_levels_are_obeyed() -> None:
    out = written(level="warn")
    log = logs.get_logger("dbc_exporter.x")
    log.debug("no")
    log.info("no")
    log.warning("yes")
    log.error("yes")
    assert re.findall(r"level=(\w+)", out.getvalue()) == ["warn", "error"]


@pytest.mark.parametrize(
    "name", ["", "substrateinterface.base", "httpx", "httpcore", "apscheduler.scheduler", "asyncio"]
)
def test_libraries_are_silent_below_warnings_even_at_debug(name: str) -> None:
    """substrate-interface, for one, logs request payloads on the root logger."""
    out = written(level="debug")
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.DEBUG)
    logger.debug({"jsonrpc": "2.0", "params": [SEED]})
    logger.info("request sent")
    logger.setLevel(before)
    assert out.getvalue() == ""


def test_a_librarys_warning_is_one_line_that_names_it() -> None:
    out = written()
    logging.getLogger("some.library").warning("two\nlines %d", 1)
    assert out.getvalue().endswith('level=warn event="two\\nlines 1" logger=some.library\n')


def test_setting_up_again_replaces_the_first() -> None:
    first = written()
    second = written("json")
    logs.get_logger("dbc_exporter.x").info("once")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


@given(
    st.text(),
    st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text() | st.integers() | st.none()),
)
def test_whatever_is_logged_is_one_line(event: str, fields: dict[str, Any]) -> None:
    for form in ("logfmt", "json"):
        out = written(form)
        logs.get_logger("dbc_exporter.x").info(event, **fields)
        assert out.getvalue().count("\n") == 1
        assert "\r" not in out.getvalue()
