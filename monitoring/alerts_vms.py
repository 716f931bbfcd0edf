"""Virtual machines: for whoever rents them."""

from __future__ import annotations

from monitoring import links
from monitoring.alert import Alert, Group, Known, Severity
from monitoring.alerts_nodes import LEFT, NODE

VM = "job, node_id, task_id"
NO_ORDER = Known(NODE, "dbc_node_order_live == 0")
"""After the end of its lease a VM is not ours any more."""

DELETED = f"(${{since}} unless on ({VM}) dbc_vm_state) and on ({NODE}) dbc_node_tasks_parsable == 1"
_KNOWN = (Known(VM, 'dbc_vm_state{state="unknown"} == 0'), Known(VM, DELETED), NO_ORDER, LEFT)


def _state(
    name: str, severity: Severity, operation: str, when: str, *, summary: str, description: str
) -> Alert:
    """Declare an alert on states of a VM as DBC tells them."""
    return Alert(
        name,
        severity,
        ids=VM,
        record=f"vm:dbc_vm_state:{operation}",
        when=when,
        known=_KNOWN,
        page=links.VM,
        summary=summary,
        description=f"VM {{{{ $labels.task_id }}}} on node {{{{ $labels.node_id }}}} {description}",
        paced="tasks",
    )


GROUP = Group(
    "dbc-vms",
    "for whoever rents virtual machines",
    (
        _state(
            "DbcVmStuckCreating",
            Severity.TICKET,
            "creating",
            when=f'max by ({VM}) (dbc_vm_state{{state="creating"}}) == 1',
            summary="A VM is being created for too long.",
            description="is still being created.",
        ),
        _state(
            "DbcVmError",
            Severity.TICKET,
            "error",
            when=f'max by ({VM}) (dbc_vm_state{{state=~"error|.+_error"}}) == 1',
            summary="A VM is in an error state.",
            description="is in an error state, which DBC leaves by itself never.",
        ),
        _state(
            "DbcVmStopped",
            Severity.PAGE,
            "stopped",
            when=f"""\
max by ({VM}) (dbc_vm_state{{state=~"closed|start_error|restart_error"}}) == 1
and on ({NODE}) dbc_target_info{{desired_state="running"}}""",
            summary="A VM that should run does not.",
            description="is off, and its target's desired state is running.",
        ),
        Alert(
            "DbcVmListUnparsable",
            Severity.TICKET,
            ids=NODE,
            record="node:dbc_node_tasks_parsable:unparsable",
            when=f"max by ({NODE}) (dbc_node_tasks_parsable) == 0",
            known=(Known(NODE, "dbc_node_tasks_parsable"), NO_ORDER, LEFT),
            page=links.VM,
            summary="A node's list of VMs cannot be read.",
            description="A text in the list of VMs of node {{ $labels.node_id }} breaks it. VMs known before are asked one by one; "
            "new ones are not seen.",
            paced="tasks",
        ),
    ),
)
