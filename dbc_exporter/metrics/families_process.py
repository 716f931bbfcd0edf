"""Families about this process that prometheus_client's own collectors fill, with their fixed names."""

from __future__ import annotations

from dbc_exporter.metrics.family import Family, MetricType, ours

_COUNTER = MetricType.COUNTER
_GENERATIONS = {"generation": ("0", "1", "2")}

FAMILIES: tuple[Family, ...] = (
    ours("process_virtual_memory_bytes", "Virtual memory size in bytes.", "process", unit="bytes"),
    ours("process_resident_memory_bytes", "Resident memory size in bytes.", "process", unit="bytes"),
    ours(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        "process",
        unit="seconds",
    ),
    ours(
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
        "process",
        type_=_COUNTER,
        unit="seconds",
    ),
    ours("process_open_fds", "Number of open file descriptors.", "process"),
    ours("process_max_fds", "Maximum number of open file descriptors.", "process"),
    ours(
        "python_gc_objects_collected_total",
        "Objects collected during gc.",
        "process",
        "generation",
        type_=_COUNTER,
        enums=_GENERATIONS,
    ),
    ours(
        "python_gc_objects_uncollectable_total",
        "Uncollectable objects found during GC.",
        "process",
        "generation",
        type_=_COUNTER,
        enums=_GENERATIONS,
    ),
    ours(
        "python_gc_collections_total",
        "Number of times this generation was collected.",
        "process",
        "generation",
        type_=_COUNTER,
        enums=_GENERATIONS,
    ),
)
