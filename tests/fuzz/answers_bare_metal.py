"""Answers about bare-metal servers and their power, each with what is true of it."""

from __future__ import annotations

from dbc_exporter.collectors.bare_metal import BareMetalCollector, PowerCollector
from dbc_exporter.dbc import reads
from dbc_exporter.facts import BareMetalServer
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.targets import Kind, Target
from tests.fuzz.good import Good, below, leaves
from tests.fuzz.made import Maker
from tests.fuzz.stage import by_collector, directly, guard_for
from tests.fuzz.tree import Arr, Leaf, Node, Obj, obj
from tests.fuzz.truth import Key, Number, OneState, Rows, Texts, key

POWER = {
    "Chassis Power is on": "on",
    "Chassis Power is off": "off",
    "Power is on": "on",
    "Power is off": "off",
}
MOST_LISTED = 51


def _listed(make: Maker, node_id: str, power: str | None = None, kind: str = "node_id") -> Obj:
    """Make a row of a manager's list, now and then with all secrets in clear as its own key gets it."""
    clear = make.chance(0.3)
    fields: dict[str, Node] = {
        "node_id": Leaf(node_id, kind),
        "node_private_key": make.secret(make.hex_id()) if clear else Leaf("*" * 64, "ignored"),
        "uuid": Leaf(f"rack-{make.base58(5)}", "word"),
        "ip": make.address(),
        "os": make.leaf(make.text(), "text"),
        "description": make.leaf(make.text(), "text"),
        "ipmi_hostname": make.address(),
        "ipmi_username": make.secret(f"admin{make.base58(6)}") if clear else Leaf("*" * 5, "ignored"),
        "ipmi_password": make.password() if clear else Leaf("*" * 16, "ignored"),
    }
    if make.chance(0.8):
        fields["ipmi_port"] = Leaf(make.random.randint(600, 9999), "ignored")
    if power is not None:
        fields["power_status"] = Leaf(power, "power")
    if make.chance(0.3):
        fields["deeplink_device_id"] = make.secret(make.base58(12))
        fields["deeplink_device_password"] = make.password() if clear else Leaf("*" * 8, "ignored")
    return obj(fields)


def _server_info(
    row: Obj, node_id: str, manager: str, description: str, *rests_on: Node
) -> tuple[Key, Texts]:
    texts: dict[str, tuple[str, Leaf | None]] = {"uuid": ("", None)}
    for name, field in (("uuid", "uuid"), ("os", "os"), ("description", description)):
        leaf = next((member.node for member in row.members if member.key == field), None)
        if isinstance(leaf, Leaf):
            texts[name] = (leaf.value, leaf)
    named = key("dbc_bare_metal_server_info", node_id=node_id, manager_id=manager)
    return named, Texts(texts, leaves(*rests_on))


def bare_metal_list(make: Maker) -> Good:
    """`/bare_metal` at a manager: the first 51 servers."""
    manager = make.hex_id()
    most = MOST_LISTED if make.chance(0.05) else make.random.randint(0, 4)
    rows = [_listed(make, make.hex_id()) for _ in range(most)]
    servers = Arr(list(rows))
    show = by_collector(BareMetalCollector, Target(manager, Kind.MANAGER))
    good = Good(
        reads.bare_metal_list(manager), obj({"bare_metal_nodes": servers}), show, ", ", secrets=make.secrets
    )
    good.truth[key("dbc_bare_metal_servers", node_id=manager)] = Number(most, below(servers))
    good.truth[key("dbc_bare_metal_list_full", node_id=manager)] = Number(most >= MOST_LISTED, below(servers))
    for row in rows:
        named = row["node_id"]
        assert isinstance(named, Leaf)
        name, texts = _server_info(row, named.value, manager, "description", named)
        good.truth[name] = texts
    return good


def bare_metal_server(make: Maker) -> Good:
    """`/bare_metal/<server>` at a manager, with its power unless the BMC failed."""
    server, manager = make.hex_id(), make.hex_id()
    power = make.random.choice([*POWER, None])
    row = _listed(make, server, power, "exact")
    target = Target(server, Kind.SERVER, manager=manager)
    show = by_collector(lambda: PowerCollector(guard_for(target)), target)
    answer = obj({"bare_metal_nodes": Arr([row])})
    good = Good(reads.bare_metal_server(manager, server), answer, show, ", ", secrets=make.secrets)
    me = {"node_id": server, "manager_id": manager}
    state = POWER[power] if power else "unknown"
    rests_on = leaves(row["node_id"]) | (leaves(row["power_status"]) if power else frozenset())
    good.truth[key("dbc_bare_metal_power_state", **me)] = OneState(state, rests_on)
    # An answer without the field says that the BMC failed; one with a spoiled text says nothing of it.
    without = frozenset({0.0}) if power else frozenset()
    good.truth[key("dbc_bare_metal_bmc_reachable", **me)] = Number(
        power is not None, rests_on, unsaid=without
    )
    return good


def bare_metal_info(make: Maker) -> Good:
    """`/bare_metal` at a rented server: its renter sees addresses and the agent's password."""
    server = make.hex_id()
    power = make.random.choice([*POWER, None])
    fields: dict[str, Node] = {
        "version": make.leaf(make.version(), "ignored"),
        "ip": make.address(),
        "os": make.leaf(make.text(), "text"),
        "description": make.leaf(make.text(), "text"),
    }
    if power:
        fields["power_status"] = Leaf(power, "power")
    if make.chance():
        fields |= {
            "deeplink_device_id": make.secret(make.base58(12)),
            "deeplink_device_password": make.password(),
        }
    row = obj(fields)
    call = reads.bare_metal_info(server)

    def say(fact: BareMetalServer) -> dict[Key, Rows]:
        return {key("power"): {(("state", fact.power.value),): 1.0}}

    good = Good(call, row, directly(call, say, Owner(node_id=server)), ", ", secrets=make.secrets)
    known = (fields["version"], fields["ip"], fields["os"])
    name, texts = _server_info(row, server, "", "description", *known)
    good.truth[name] = texts
    state = POWER[power] if power else "unknown"
    rests_on = leaves(*known) | (leaves(fields["power_status"]) if power else frozenset())
    good.truth[key("power")] = OneState(state, rests_on)
    return good


def power_status(make: Maker) -> Good:
    """`/bare_metal/power` with `status`, asked by a renter."""
    server = make.hex_id()
    text = make.pick(list(POWER), "power")
    target = Target(server, Kind.SERVER, credential="me", rent_order="101" if make.chance() else None)
    show = by_collector(lambda: PowerCollector(guard_for(target)), target)
    good = Good(reads.power_status(server), text, show, ", ")
    me = {"node_id": server, "manager_id": ""}
    good.truth[key("dbc_bare_metal_power_state", **me)] = OneState(POWER[text.value], leaves(text))
    # Refused with an errcode, the same words say that the BMC failed.
    good.truth[key("dbc_bare_metal_bmc_reachable", **me)] = Number(1, leaves(text), unsaid=frozenset({0.0}))
    return good
