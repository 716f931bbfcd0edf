"""A TCP port on loopback per VM, standing in for its ssh: it accepts while the guest answers, and only then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from dbc_exporter.simulator.vm import Vm

LOOK_EVERY = 0.2
"""Seconds between looks at the guests."""
GREETING = b"SSH-2.0-OpenSSH_9.6\r\n"


class VmPorts:
    """Keeps a fixed port number for each VM it has seen; `numbers` maps task ids to them."""

    def __init__(self, vms: Callable[[], Iterable[Vm]]) -> None:
        self._vms = vms
        self._open: dict[str, asyncio.Server] = {}
        self.numbers: dict[str, int] = {}

    async def run(self) -> None:
        """Open and close ports as guests come and go, until cancelled; then close all."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_EVERY)
        finally:
            for task_id in list(self._open):
                self._close(task_id)

    async def look(self) -> None:
        """Bring the ports in line with the guests now."""
        reachable = {vm.task_id for vm in self._vms() if vm.reachable}
        for task_id in [task_id for task_id in self._open if task_id not in reachable]:
            self._close(task_id)
        for task_id in sorted(reachable - self._open.keys()):
            await self._listen(task_id)

    async def _listen(self, task_id: str) -> None:
        with contextlib.suppress(OSError):  # taken meanwhile by another program: tried again at the next look
            server = await asyncio.start_server(_greet, "127.0.0.1", self.numbers.get(task_id, 0))
            self.numbers[task_id] = server.sockets[0].getsockname()[1]
            self._open[task_id] = server

    def _close(self, task_id: str) -> None:
        self._open.pop(task_id).close()


async def _greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        writer.write(GREETING)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
