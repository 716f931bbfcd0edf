"""What writes are answered, each with what is true of it."""

from __future__ import annotations

from dbc_exporter.dbc.calls import WriteCall
from dbc_exporter.dbc.inventory import AnyCall, all_calls
from dbc_exporter.dbc.outcomes import (
    Accepted,
    AddedServer,
    BootDeviceAnswer,
    CreatedVm,
    DeletedServers,
    PowerTaken,
)
from tests.fuzz.answers_rented import TASK_STATES
from tests.fuzz.good import Build, Good, leaves
from tests.fuzz.made import Maker
from tests.fuzz.stage import directly
from tests.fuzz.tree import Arr, Leaf, Node, obj
from tests.fuzz.truth import Key, Number, OneState, Rows, key

POWER_WORDS = {"on": "Chassis Power Control: Up/On", "off": "Chassis Power Control: Down/Off",
               "reset": "Chassis Power Control: Reset"}  # fmt: skip


def writes() -> dict[str, Build]:
    """Give a maker of answers for every form of every write."""
    forms = [(call.name, form) for call in all_calls() for form in call.forms if isinstance(form, WriteCall)]
    named: dict[str, Build] = {}
    for name, form in forms:
        command = form.additional.get("command", "")
        suffix = f" {command}" if command else " forced" if "force" in form.path else ""
        suffix += "" if form.peer else " (client)"
        named[f"{name}{suffix}"] = _maker_for(form)
    return named


def _maker_for(call: AnyCall) -> Build:
    if call.path.endswith("/tasks/start"):
        return lambda make: _created(make, call)
    if call.path.endswith("/bare_metal/add"):
        return lambda make: _added(make, call)
    if call.path.endswith("/bare_metal/delete"):
        return lambda make: _deleted(make, call)
    if call.path.endswith("/bare_metal/power"):
        return lambda make: _power(make, call)
    return lambda make: _accepted(make, call)


def _accepted(make: Maker, call: AnyCall) -> Good:
    words = ("ok", "", "some changes will take effect on the next boot")
    return Good(call, make.pick(words, "text"), directly(call, _say_accepted))


def _say_accepted(outcome: Accepted | BootDeviceAnswer) -> dict[Key, Rows]:
    """Say nothing: of an order taken nothing is known but that it was taken."""
    assert isinstance(outcome, Accepted | BootDeviceAnswer)
    return {}


def _created(make: Maker, call: AnyCall) -> Good:
    word, task = make.random.choice(list(TASK_STATES)), Leaf(make.base58(22), "word")
    status = Leaf(word, "task_state")
    description = make.leaf(make.text(), "ignored")
    answer = obj(
        {"task_id": task, "create_time": make.time().leaf, "desc": description, "status": status}, ", "
    )

    def say(outcome: CreatedVm) -> dict[Key, Rows]:
        return {key("created", task_id=outcome.task_id): {(("state", outcome.state.value),): 1.0}}

    good = Good(call, answer, directly(call, say), ", ")
    good.truth[key("created", task_id=task.value)] = OneState(TASK_STATES[word], leaves(task, status))
    return good


def _added(make: Maker, call: AnyCall) -> Good:
    ids = [Leaf(make.hex_id(), "node_id") for _ in range(make.random.randint(1, 3))]
    rows: list[Node] = [obj({"node_id": node_id, "uuid": Leaf(make.base58(8), "word")}) for node_id in ids]

    def say(outcome: tuple[AddedServer, ...]) -> dict[Key, Rows]:
        return {key("added", node_id=server.node_id): {(): 1.0} for server in outcome}

    good = Good(call, obj({"bare_metal_nodes": Arr(rows)}), directly(call, say), ", ")
    for node_id in ids:
        good.truth[key("added", node_id=node_id.value)] = Number(1, leaves(node_id))
    return good


def _deleted(make: Maker, call: AnyCall) -> Good:
    deleted, failed = make.random.randint(1, 9), make.random.randint(0, 9)
    text = Leaf(f"{deleted} were successfully deleted, {failed} failed", "exact")

    def say(outcome: DeletedServers) -> dict[Key, Rows]:
        return {key("deleted"): {(): outcome.deleted}, key("failed"): {(): outcome.failed}}

    good = Good(call, text, directly(call, say), ", ")
    good.truth = {key("deleted"): Number(deleted, leaves(text)), key("failed"): Number(failed, leaves(text))}
    return good


def _power(make: Maker, call: AnyCall) -> Good:
    command = call.additional["command"]
    text = Leaf(POWER_WORDS[command] if make.chance(0.8) else "", "exact")

    def say(outcome: PowerTaken) -> dict[Key, Rows]:
        return {key("acknowledged"): {(): float(outcome.acknowledged)}}

    good = Good(call, text, directly(call, say), ", ")
    good.truth[key("acknowledged")] = Number(bool(text.value), leaves(text), frozenset({0.0}))
    return good
