"""Answers of a compute node about itself, each with what is true of it."""

from __future__ import annotations

from collections import Counter

from dbc_exporter.collectors.images import ImagesCollector
from dbc_exporter.collectors.node import NodeCollector
from dbc_exporter.collectors.orders import OrderBook, OrdersCollector
from dbc_exporter.dbc import reads
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.targets import Target
from tests.fuzz.good import Good, below, leaves
from tests.fuzz.made import Maker, Said
from tests.fuzz.stage import CLOCK, WALLET, by_collector, directly
from tests.fuzz.tree import Arr, Leaf, Node, Obj, obj
from tests.fuzz.truth import Counts, Number, Texts, key

MEDIA = ("SSD", "HDD")
LIVE = {"renting", "waitingVerifying"}
RENT_STATES = {"renting": "renting", "waitingVerifying": "waiting_verifying", "rentExpired": "expired"}


def masked_ip(make: Maker) -> Leaf:
    return Leaf(f"*.{make.random.randint(1, 254)}.*.{make.random.randint(1, 254)}", "ignored")


def node_config(make: Maker) -> Good:
    """`/mining_nodes` of a compute node, of this version or an older one with fewer fields."""
    node = make.hex_id()
    me = {"node_id": node}
    root = obj({})
    good = Good(reads.node_config(node), root, by_collector(NodeCollector, Target(node)))
    fields: dict[str, Node] = {"version": make.leaf(make.version(), "version")}
    if make.chance(0.8):
        fields["node_type"] = Leaf("1", "node_type")
    fields |= {"ip": masked_ip(make), "os": make.leaf(make.text(), "text")}
    cpu = _cpu(make, good, me)
    fields |= {
        "cpu": cpu,
        "gpu": _numbers(make, good, me, ("gpu_count", "dbc_node_gpus"), ("gpu_used", "dbc_node_gpus_used")),
    }
    fields["mem"] = _memory(make, good, me)
    system = make.size()
    fields["disk_system"] = obj({"type": make.pick(MEDIA, "medium"), "size": system.leaf})
    good.number(key("dbc_node_system_disk_size_bytes", **me), system.value, system.leaf)
    fields["disk_data" if make.chance(0.9) else "disks"] = _disks(make, good, me)
    fields["images"] = _base_images(make, good, me)
    root.members = obj(fields).members
    texts = {"version": _text(fields["version"]), "os": _text(fields["os"]), "cpu_model": _text(cpu["type"])}
    known = leaves(root, *(fields[name] for name in ("version", "os", "cpu", "gpu", "mem")))
    good.truth[key("dbc_node_info", **me)] = Texts(texts, known)
    return good


def _text(node: Node) -> tuple[str, Leaf]:
    assert isinstance(node, Leaf)
    return node.value, node


def _cpu(make: Maker, good: Good, me: dict[str, str]) -> Obj:
    hertz, cores, usage, sockets = make.hertz(), make.count(), make.ratio(), make.count(8)
    fields: dict[str, Node] = {"type": make.leaf(make.text(), "text")}
    if make.chance(0.2):
        fields["hz"] = Leaf("", "ignored")
    else:
        fields["hz"] = hertz.leaf
        good.number(key("dbc_node_cpu_frequency_hertz", **me), hertz.value, hertz.leaf)
    fields |= {"cores": cores.leaf, "used_usage": usage.leaf}
    good.number(key("dbc_node_cpu_cores", **me), cores.value, cores.leaf)
    good.number(key("dbc_node_cpu_usage_ratio", **me), usage.value, usage.leaf)
    if make.chance(0.8):
        fields["physical_cpus"] = sockets.leaf
        good.number(key("dbc_node_cpu_sockets", **me), sockets.value, sockets.leaf)
    return obj(fields)


def _numbers(make: Maker, good: Good, me: dict[str, str], *wanted: tuple[str, str]) -> Obj:
    fields: dict[str, Node] = {}
    for name, family in wanted:
        number = make.count(16)
        fields[name] = number.leaf
        good.number(key(family, **me), number.value, number.leaf)
    return obj(fields)


def _memory(make: Maker, good: Good, me: dict[str, str]) -> Obj:
    size, free, usage = make.size(), make.size(), make.ratio()
    good.number(key("dbc_node_memory_size_bytes", **me), size.value, size.leaf)
    good.number(key("dbc_node_memory_free_bytes", **me), free.value, free.leaf)
    good.number(key("dbc_node_memory_usage_ratio", **me), usage.value, usage.leaf)
    return obj({"size": size.leaf, "free": free.leaf, "used_usage": usage.leaf})


def _disks(make: Maker, good: Good, me: dict[str, str]) -> Arr:
    rows: list[Node] = []
    for path in make.distinct(3, "/data"):
        named, medium = Leaf(path, "path"), make.pick(MEDIA, "medium")
        size, free, usage = make.size(), make.size(), make.ratio()
        rows.append(
            obj(
                {
                    "path": named,
                    "type": medium,
                    "size": size.leaf,
                    "free": free.leaf,
                    "used_usage": usage.leaf,
                }
            )
        )
        mine = me | {"disk": path}
        good.number(key("dbc_node_disk_size_bytes", **mine), size.value, named, size.leaf)
        good.number(key("dbc_node_disk_free_bytes", **mine), free.value, named, free.leaf)
        good.number(key("dbc_node_disk_usage_ratio", **mine), usage.value, named, usage.leaf)
        good.truth[key("dbc_node_disk_info", **mine)] = Texts({"medium": _text(medium)}, leaves(named))
    return Arr(rows)


def _base_images(make: Maker, good: Good, me: dict[str, str]) -> Arr:
    names = [Leaf(f"{name}.qcow2", "name") for name in make.distinct(3, "os-")]
    rows: list[Node] = list(names)
    if make.chance(0.8):
        rows = [obj({"image_name": name, "image_size": make.size().leaf}) for name in names]
    images = Arr(rows)
    good.number(key("dbc_node_base_images", **me), len(rows), images, *rows, *names)
    return images


def server_config(make: Maker) -> Good:
    """`/mining_nodes` of a bare-metal server: a short form, its address unmasked."""
    node = make.hex_id()
    version, system = make.leaf(make.version(), "version"), make.leaf(make.text(), "text")
    root = obj({"version": version, "node_type": Leaf("2", "node_type"), "ip": make.address(), "os": system})
    if make.chance():
        agent = obj({"device_id": make.secret(make.base58(12)), "device_password": Leaf("*" * 8, "ignored")})
        root.members.extend(obj({"deeplink": agent}).members)
    good = Good(reads.node_config(node), root, by_collector(NodeCollector, Target(node)))
    texts: dict[str, tuple[str, Leaf | None]] = {
        "version": (version.value, version),
        "os": (system.value, system),
        "cpu_model": ("", None),
    }
    good.truth[key("dbc_node_info", node_id=node)] = Texts(texts, leaves(root, version, system))
    return good


def rent_orders(make: Maker) -> Good:
    """`/rent_orders`, seen by somebody with a wallet, with one of an order, or with none."""
    node = make.hex_id()
    rows: list[Node] = []
    states: list[str] = []
    ours: list[bool] = []
    wanted = "order0x0" if make.chance(0.3) else None
    for place, name in enumerate(make.distinct(4, "order")):
        order_id = wanted if wanted and place == 0 else name
        renter = WALLET if make.chance() else make.wallet()
        state = make.random.choice((*RENT_STATES, "rentedOut"))
        rows.append(_order(make, order_id, renter, state))
        states.append(state)
        ours.append(order_id == wanted if wanted else renter == WALLET)
    orders = Arr(rows)
    root = obj({"rent_orders": orders})
    credential = "me" if make.chance(0.8) else None
    target = Target(node, credential=credential, rent_order=wanted)
    good = Good(reads.rent_orders(node), root, by_collector(_orders_collector, target))
    good.secrets.append(WALLET)
    rests_on = below(root)
    counts = Counter(RENT_STATES.get(state, "other") for state in states)
    good.truth[key("dbc_node_rent_orders", node_id=node)] = Counts(counts, rests_on)
    if credential is not None:
        mine = [place for place, own in enumerate(ours) if own]
        alive = [place for place in mine if states[place] in LIVE]
        deciding = mine if wanted else alive  # one such row is enough, whatever becomes of the others
        live = bool(alive) if mine else wanted is not None
        good.truth[key("dbc_node_order_live", node_id=node)] = Number(
            live, below(rows[deciding[0]]) if deciding else rests_on
        )
    return good


def _order(make: Maker, order_id: str, renter: str, state: str) -> Obj:
    gpus = make.random.randint(0, 3)
    return obj(
        {
            "id": Leaf(order_id, "word"),
            "renter": Leaf(renter, "word"),
            "rent_end": Leaf(str(make.random.randint(1, 9_999_999)), "block"),
            "rent_status": Leaf(state, "rent_state"),
            "gpu_nums": Leaf(str(gpus), "count"),
            "gpu_index": Arr([Leaf(gpu, "ignored") for gpu in range(gpus)], counted=True),
        }
    )


def _orders_collector() -> OrdersCollector:
    return OrdersCollector(OrderBook(CLOCK, {"me": frozenset({WALLET})}))


def lan_probe(make: Maker) -> Good:
    """`/lan` at a node: any answer of the node proves it alive."""
    node = make.hex_id()
    lans = Arr(
        [obj({"network_name": make.secret(make.base58(10))}) for _ in range(make.random.randint(0, 2))]
    )
    call = reads.lan_probe(node)
    return Good(call, lans, directly(call, lambda _fact: {}), ", ", secrets=make.secrets)


def image_rows(make: Maker, name_key: str) -> tuple[Arr, list[tuple[Leaf, Said]]]:
    """Make a list of images; a node writes the key of the name with a colon."""
    images = [(Leaf(f"{name}.qcow2", "name"), make.size()) for name in make.distinct(5, "os-")]
    return Arr([obj({name_key: name, "image_size": size.leaf}) for name, size in images]), images


def images(make: Maker) -> Good:
    """`/images` at a node."""
    node = make.hex_id()
    rows, made = image_rows(make, "image_name:")
    good = Good(reads.images(node), rows, by_collector(ImagesCollector, Target(node)), ", ")
    _image_sizes(good, node, made)
    return good


def images_with_centre(make: Maker) -> Good:
    """`/images` at a node, those of an image centre with them."""
    node = make.hex_id()
    rows, made = image_rows(make, "image_name" if make.chance(0.3) else "image_name:")
    call = reads.images_with_centre(node, "centre01")
    good = Good(call, rows, directly(call, lambda _fact: {}, Owner(node_id=node)), ", ")
    _image_sizes(good, node, made)
    return good


def _image_sizes(good: Good, node: str, made: list[tuple[Leaf, Said]]) -> None:
    for name, size in made:
        good.number(key("dbc_image_size_bytes", node_id=node, image=name.value), size.value, name, size.leaf)
