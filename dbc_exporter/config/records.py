"""A target as the operator writes it, in the settings or in a target file."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from dbc_exporter.config.section import LabelName, NodeId, Section, wrong
from dbc_exporter.targets import DesiredState, Kind, Target


class _Common(Section):
    """What a record and a group of records have in common."""

    kind: Kind = Field(default=Kind.COMPUTE, description="what kind of machine it is")
    manager: NodeId | None = Field(default=None, description="node id of the manager of a bare_metal_server")
    clients: tuple[str, ...] = Field(
        default=(), description="names of the DBC clients that may be asked; none: all"
    )
    credential: str | None = Field(default=None, description="name of an entry of `credentials`")
    rent_order: str | None = Field(
        default=None,
        pattern="^[A-Za-z0-9]{1,64}$",
        description="id of the rent order to ask under: letters and digits, 64 at most",
    )
    desired_state: DesiredState = Field(
        default=DesiredState.NONE,
        description="what you want of it: running for compute, on for bare_metal_server",
    )
    expected_gpus: int | None = Field(default=None, ge=0, le=64, description="GPUs the machine should have")
    transfers: tuple[str, ...] = Field(
        default=(), description="names of image files whose download or upload is followed"
    )
    labels: dict[LabelName, str] = Field(default={}, description="labels of dbc_target_info, to join with")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if self.manager is not None and self.kind is not Kind.SERVER:
            raise wrong(f"has a manager, but is of kind {self.kind}; only a bare_metal_server has one")
        fitting = {Kind.COMPUTE: DesiredState.RUNNING, Kind.SERVER: DesiredState.ON}.get(self.kind)
        if self.desired_state not in (DesiredState.NONE, fitting):
            hint = f"write {fitting} or none" if fitting else "write none"
            raise wrong(
                f"has desired_state {self.desired_state}, which a {self.kind} target cannot have; {hint}"
            )
        if self.transfers and self.kind is not Kind.COMPUTE:
            raise wrong("has transfers, but only a compute node has images; remove them")
        return self

    def target(self, node_id: str) -> Target:
        """Return the target record for one node id."""
        values: dict[str, Any] = {
            name: getattr(self, name) for name in _Common.model_fields if name != "labels"
        }
        return Target(id=node_id, labels=tuple(sorted(self.labels.items())), **values)


class TargetRecord(_Common):
    """One target."""

    id: NodeId = Field(description="its DBC node id: 64 lower-case hex characters")

    def targets(self) -> tuple[Target, ...]:
        """Return the target, as a tuple of one."""
        return (self.target(self.id),)


class TargetGroup(_Common):
    """Several targets with everything but the id in common: Prometheus' `file_sd` form, with our keys allowed too."""

    ids: tuple[NodeId, ...] = Field(alias="targets", description="their node ids")

    def targets(self) -> tuple[Target, ...]:
        """Return the group's targets in the order written."""
        return tuple(self.target(node_id) for node_id in self.ids)
