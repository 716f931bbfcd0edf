"""Baseboard management controllers (BMCs) and what ipmitool prints about them.

A manager runs `ipmitool ... chassis power <command>` once per request and passes on what it printed, so the
texts here are ipmitool's, with line ends turned into `" <line> "` as the manager does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

DEFAULT_PORT = 623
"""The IPMI port ipmitool uses when it is given none."""

POWER_COMMANDS = ("on", "off", "reset", "status")
BOOT_DEVICES = ("none", "pxe", "cdrom", "disk", "bios")

_NO_SESSION = (
    "Error: Unable to establish LAN session <line> Error: Unable to establish IPMI v1.5 / RMCP session"
)
_BAD_PASSWORD = f"Activate Session command failed <line> {_NO_SESSION}"
_CONTROL = "Chassis Power Control: "
_DONE = {"on": "Up/On", "off": "Down/Off", "reset": "Reset"}


@dataclass(slots=True)
class Bmc:
    """One controller and the server behind it.

    `power_on_seconds` and `power_off_seconds` are how long after an accepted command `status` still shows the
    old state. `silent_failure` is a text ipmitool prints for every command instead of doing it; unless it
    contains `Error:` the manager reports it as a success, as the real one does.
    """

    username: str = "admin"
    password: str = "admin"  # noqa: S105 - the factory default of a simulated controller
    powered: bool = True
    reachable: bool = True
    rejects_password: bool = False
    silent_failure: str | None = None
    boot_device: str = "none"
    latency_seconds: float = 0.04
    unreachable_seconds: float = 10.0
    refused_seconds: float = 8.0
    power_on_seconds: float = 0.0
    power_off_seconds: float = 0.0
    _pending: tuple[float, bool] | None = field(default=None, init=False, repr=False)

    def is_on(self) -> bool:
        """Return the power state `status` would show now (loop time)."""
        if self._pending is not None and asyncio.get_running_loop().time() >= self._pending[0]:
            self.powered = self._pending[1]
            self._pending = None
        return self.powered

    async def power(self, command: str, username: str, password: str) -> str:
        """Run one chassis power command as ipmitool would and return what it prints."""
        refusal = await self._connect(username, password)
        if refusal is not None:
            return refusal
        if command == "status":
            return f"Chassis Power is {'on' if self.is_on() else 'off'}"
        if command == "reset" and not self.is_on():
            return "Set Chassis Power Control to Reset failed: Command not supported in present state"
        if command != "reset":
            self._switch(command == "on")
        return f"{_CONTROL}{_DONE[command]}"

    async def set_boot_device(self, device: str, username: str, password: str) -> str:
        """Set the device of the next start and return what ipmitool prints."""
        refusal = await self._connect(username, password)
        if refusal is not None:
            return refusal
        self.boot_device = device
        return f"Set Boot Device to {device}"

    def cut_power(self) -> None:
        """Lose mains power at once, as a pulled plug or a tripped fuse."""
        self._pending = None
        self.powered = False

    async def _connect(self, username: str, password: str) -> str | None:
        if not self.reachable:
            await asyncio.sleep(self.unreachable_seconds)
            return _NO_SESSION
        if self.rejects_password or (username, password) != (self.username, self.password):
            await asyncio.sleep(self.refused_seconds)
            return _BAD_PASSWORD
        await asyncio.sleep(self.latency_seconds)
        return self.silent_failure

    def _switch(self, to: bool) -> None:
        delay = self.power_on_seconds if to else self.power_off_seconds
        if self.is_on() == to:
            self._pending = None
            return
        self._pending = (asyncio.get_running_loop().time() + delay, to)


class BmcNetwork:
    """The network that managers reach BMCs on, by host name and port."""

    def __init__(self) -> None:
        self._bmcs: dict[tuple[str, int], Bmc] = {}

    def plug_in(self, host: str, port: int, bmc: Bmc) -> Bmc:
        """Make a BMC answer at an address and return it."""
        self._bmcs[host, port] = bmc
        return bmc

    def find(self, host: str, port: int | None) -> Bmc:
        """Return the BMC at an address; where none listens, one that never answers."""
        return self._bmcs.get((host, port or DEFAULT_PORT)) or Bmc(reachable=False)


def reported_as_error(text: str) -> bool:
    """Say whether the manager takes ipmitool's text for a failure: only when it says so in this spelling."""
    return "Error:" in text or "error:" in text


def carried_out(text: str) -> bool:
    """Say whether ipmitool's text means that the BMC has done what changes power."""
    return text.startswith(_CONTROL)
