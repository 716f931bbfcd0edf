"""The fastest server that will do: answers node configurations as a DBC client does, over a bare asyncio.Protocol.

    python -m benchmarks.node_server --nodes 2000

Prints its port and serves until its standard input ends. Every answer carries other figures than the one before, as
those of a live machine do, and has the size of a real one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import cast

_CONFIG = (
    '{"errcode":0,"message":{"version":"0.4.1.8","node_type":"1","ip":"*.0.*.7",'
    '"os":"Ubuntu 22.04.4 LTS 5.15.0-105-generic GNU/Linux",'
    '"cpu":{"type":"AMD EPYC 7543 32-Core Processor","hz":"2800MHz","cores":"60","used_usage":"CPU_USED%",'
    '"physical_cpus":"1"},"gpu":{"gpu_count":"8","gpu_used":"GPUS_USED"},'
    '"mem":{"size":"471.59G","free":"MEM_FREEG","used_usage":"MEM_USED%"},'
    '"disk_system":{"type":"SSD","size":"446.6G"},'
    '"disk_data":[{"path":"/data","type":"SSD","size":"3575.3G","free":"DISK_FREEG","used_usage":"DISK_USED%"}],'
    '"images":[{"image_name":"ubuntu-22.04.qcow2","image_size":"8.21G"}]}}'
)
_PEERS = '{"errcode":0,"message":{"peer_nodes":[{"node_id":"' + "a" * 64 + '","addr":"10.0.0.1:5001"}]}}'
_VERSION = '{"errcode":0,"message":{"client_version":"0.4.1.8"}}'
_NO_SERVERS = '{"errcode":0,"message":{"bare_metal_nodes":[]}}'


def node_ids(number: int) -> list[str]:
    """Return the ids of the nodes that the server lists."""
    return [f"{n * 0x9E3779B97F4A7C15F39CC0605CEDC835:064x}"[-64:] for n in range(1, number + 1)]


def answer(body: str) -> bytes:
    """Write a whole HTTP answer."""
    data = body.encode()
    head = (
        "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: application/json\r\n"
        f"Date: Mon, 23 Nov 2026 10:23:53 GMT\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def config(number: int) -> bytes:
    """Write the configuration of a node, as busy as `number` says."""
    share = number % 100
    text = _CONFIG
    for name, value in (
        ("CPU_USED", f"{share}.{number % 7}"),
        ("GPUS_USED", str(number % 9)),
        ("MEM_FREE", f"{400 + number % 71}.{share:02}"),
        ("MEM_USED", f"{number % 90}.1"),
        ("DISK_FREE", f"{2000 + number % 997}.{share:02}"),
        ("DISK_USED", f"{number % 83}.{number % 9}"),
    ):
        text = text.replace(name, value)
    return answer(text)


class Answers:
    """Ready answers by request."""

    def __init__(self, nodes: int) -> None:
        """Prepare the list of so many nodes and configurations of 997 kinds."""
        rows = ",".join(
            f'{{"node_id":"{node}","version":"0.4.1.8","name":"gpu-{n}","service_list":["ai"]}}'
            for n, node in enumerate(node_ids(nodes))
        )
        self._list = answer(f'{{"errcode":0,"message":{{"mining_nodes":[{rows}]}}}}')
        self._configs = [config(number) for number in range(997)]
        self._fixed = {"peers": answer(_PEERS), "": answer(_VERSION), "bare_metal": answer(_NO_SERVERS)}
        self._served = 0

    def to(self, head: bytes, body: bytes) -> bytes:
        """Return the answer to a request."""
        if b"/mining_nodes" in head:
            if b'"peer_nodes_list":[]' in body:
                return self._list
            self._served += 1
            return self._configs[self._served % 997]
        path = head.split(b" ", 2)[1].decode().removeprefix("/api/v1/")
        return self._fixed[path.split("/")[0]]


class _Connection(asyncio.Protocol):
    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            length = _length(head)
            if not found or len(rest) < length:
                return
            self._buffer = rest[length:]
            self._transport.write(self._answers.to(head, rest[:length]))


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r")[0]) if found else 0


async def serve(nodes: int) -> None:
    """Serve on a free port until standard input ends."""
    answers = Answers(nodes)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answers), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


@contextmanager
def running(nodes: int) -> Iterator[str]:
    """Run the server in a process of its own; gives its address."""
    command = [sys.executable, "-m", "benchmarks.node_server", "--nodes", str(nodes)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=2000)
    asyncio.run(serve(parser.parse_args().nodes))
