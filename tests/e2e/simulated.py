"""`dbc-exporter simulator` as a process, with VMs that can be probed and made to hang over its control port."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.e2e.processes import LIMIT_SECONDS, Served, free_port


@dataclass(frozen=True)
class SimulatedVm:
    """A VM: its name in the simulator (`gpu-1/1`), its ids, and the address of its ssh port."""

    name: str
    node_id: str
    task_id: str
    address: str


class Simulator(Served):
    """A running simulator; `port` is its control port, `client` the URL of its DBC client.

    Its scenario has one client and `vm_ports: true`.
    """

    def __init__(self, directory: Path, scenario: str) -> None:
        directory.mkdir()
        file = directory / "scenario.yml"
        file.write_text(scenario, encoding="utf-8")
        self.credentials = directory / "credentials"
        """Folder of the simulated wallets' seeds, such as `renter.seed`."""
        client, control = free_port(), free_port()
        self.client = f"http://127.0.0.1:{client}"
        command = [sys.executable, "-m", "dbc_exporter", "simulator", "--scenario", str(file)]
        command += ["--listen", f"127.0.0.1:{client}", "--control-listen", f"127.0.0.1:{control}"]
        super().__init__([*command, "--write-credentials", str(self.credentials)], control, directory)

    def state(self) -> dict[str, Any]:
        """Return the truth about the simulated world; raises OSError while it does not listen."""
        found: dict[str, Any] = json.loads(self.get("/state").body)
        return found

    def vms(self) -> list[SimulatedVm]:
        """Return all VMs; raises OSError while the simulator does not listen."""
        return [
            SimulatedVm(vm["name"], node["node_id"], vm["task_id"], f"127.0.0.1:{vm['tcp_port']}")
            for node in self.state()["compute"]
            for vm in node["vms"]
        ]

    def hang(self, vm: SimulatedVm, cured_by: str = "restart") -> None:
        """Let a VM hang until it recovers or is restarted, or (`force_restart`) is restarted by force."""
        self.fault(fault="hang_vms", names=[vm.name], cured_by=cured_by)

    def recover(self, vm: SimulatedVm) -> None:
        """Let a hung VM answer again without a restart."""
        self.fault(fault="recover_vms", names=[vm.name])

    def fault(self, **line: Any) -> None:
        """Let a line of a timeline happen, which must hit something."""
        request = Request(f"http://{self.address}/faults", json.dumps(line).encode())
        with urlopen(request, timeout=LIMIT_SECONDS) as answer:  # noqa: S310 - loopback
            assert json.load(answer)["hit"], line
