"""Remake the pictures in docs/pictures: `make pictures`. Takes about four minutes.

The demonstration is shown as it is. For remediation a simulated fleet is watched by the real parts of
examples/remediation: one VM hangs and is restarted, then another one, which a restart does not help.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from tests.e2e.browser import browser
from tests.e2e.processes import Served, demo
from tests.e2e.remediation_parts import GPUS, Parts, basic, running

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
WIDTH, HEIGHT = 1280, 1200
PATIENCE_SECONDS = 300.0
SCENARIO = f"""
version: 1
vm_ports: true
time_factor: 0.1
compute: [{{count: 8, gpus: {GPUS}, vms: {{count: 1}}, rented_by: {{wallet: renter}}}}]
"""
POLICY = """
version: 1
mode: act
limits:
  hold_off: 1s
  budgets: [{scope: fleet, window: 10m, most: 4}, {scope: node, window: 1h, most: 2}]
rules:
  - name: vms
    kind: vm
    match: {labels: {site: "*"}}
    only_dbc_vms: true
    hold: 1s
    samples: 1
    node_settle: 1s
    cooldown: {base: 40s}
    ladder:
      - {action: restart, evidence: [DbcVmUnresponsive], witness: DbcVmUnresponsive, settle: 30s, stable: 4s}
      - {action: force_restart, mode: approve, evidence: [DbcVmUnresponsive], witness: DbcVmUnresponsive, settle: 30s, stable: 4s}
"""


async def take(served: Served, pages: dict[str, str], folder: Path, **headers: str) -> None:
    """Take a picture of each page, by its name."""
    async with browser(folder / "profile") as tab:
        await tab.call("Network.enable")
        await tab.call("Network.setExtraHTTPHeaders", headers=headers)
        for name, path in pages.items():
            await tab.open(f"http://{served.address}{path}")
            picture = PICTURES / f"{name}.png"
            picture.write_bytes(await tab.picture(WIDTH, HEIGHT, dark=name.endswith("-dark")))
            print(picture)  # noqa: T201 - the command's output


def of_the_demo(folder: Path) -> None:
    """Show the demonstration once its first node has died, which it does after a minute and a half."""
    with demo(folder) as shown:
        down = "/targets?format=json&condition=down"
        found = shown.wait(lambda: json.loads(shown.get(down).body)["targets"], "dead node", PATIENCE_SECONDS)
        one = f"/targets/{found[0]['id']}"
        pages = {"overview": "/", "overview-dark": "/", "targets": "/targets", "target": one}
        asyncio.run(take(shown, pages, folder))


def of_remediation(folder: Path) -> None:
    """Show remediation after one action that helped and one that did not."""
    with running(folder, SCENARIO, POLICY) as parts:
        served, (first, second, *_) = parts.exporter, parts.vms
        parts.wait_until_ready()
        parts.simulator.hang(first, cured_by="restart")
        served.wait(lambda: ended(parts) == 1, "the first action's end")
        parts.simulator.hang(second, cured_by="force_restart")
        served.wait(lambda: ended(parts) == 2, "the second action's end")
        served.wait(lambda: parts.metric("dbc_remediation_proposals_open"), "a proposal")
        asyncio.run(take(served, {"remediation": "/remediation"}, folder, Authorization=basic()))


def ended(parts: Parts) -> int:
    """Count the actions whose result is known."""
    return [intent["state"] for intent in parts.intents()].count("ended")


def main() -> None:
    """Remake all pictures."""
    for part in (of_the_demo, of_remediation):
        with tempfile.TemporaryDirectory() as folder:
            part(Path(folder))


if __name__ == "__main__":
    main()
