"""How long things take in the simulated network; every figure in seconds, as measured on real nodes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Timing:
    """Durations. Those under "slow things" are multiplied by the world's time factor, the others are not."""

    request_timeout: float = 30.0
    timeout_tick: float = 0.1
    announce_every: float = 10.0
    forget_after: float = 300.0
    peers_after_start: float = 3.0
    """A client process's first p2p connection after its start."""
    public_answer: float = 0.03
    """A node's own time for any request: about 30 a second."""
    authenticated_extra: tuple[float, float] = (0.0, 0.0)
    """Added to a request with credentials, uniformly drawn: the two chain calls (2 to 8 s in the real world)."""
    image_scan: float = 0.0
    """Added to a list of a node's images."""
    centre_scan: float = 0.0
    """How long a client's HTTP thread stands still while it asks an image centre for its list."""
    chain_outage_answer: tuple[float, float] = (31.0, 45.0)
    """What a request with credentials takes while the chain does not answer."""

    # slow things
    watchdog: float = 10.0
    create_vm: tuple[float, float] = (300.0, 900.0)
    start_vm: float = 5.0
    after_start_vm: float = 7.0
    """How long the event thread stays busy (IP, iptables) after a started VM already shows `running`."""
    stop_vm: float = 1.5
    force_reboot_pause: float = 3.0
    disk_change: float = 4.0
    snapshot: float = 30.0
    transfer_bytes_per_second: float = 50e6
    transfer_reaper: float = 3.0
