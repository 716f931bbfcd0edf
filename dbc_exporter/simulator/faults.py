"""All faults. Importing the modules below fills the registry."""

from __future__ import annotations

from dbc_exporter.simulator import client_faults, node_faults, server_faults, vm_faults
from dbc_exporter.simulator.fault_registry import FAULTS, Fault, problems

__all__ = ["FAULTS", "Fault", "client_faults", "node_faults", "problems", "server_faults", "vm_faults"]
