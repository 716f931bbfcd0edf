"""Sizes and shares as the nodes print them: base 1024, one letter, six significant digits."""

from __future__ import annotations

KIB = 1024
_UNITS = "KMGTP"


def scale_size(size: int, last: str = "P") -> str:
    """Return a number of bytes as the node's text: `192K`, `23.54G`, `1.23457e+06G`.

    `last` is the largest unit used: memory and disks never go beyond `G`.
    """
    size -= size % KIB
    unit, divisor = 0, KIB
    while size // divisor >= KIB and _UNITS[unit] != last:
        unit += 1
        divisor *= KIB
    whole, rest = divmod(size, divisor)
    if rest % (1 << 32) == 0:  # the node keeps the remainder in 32 bits: multiples of 4 GiB are lost
        return f"{whole}{_UNITS[unit]}"
    return f"{round(size / divisor, 2):g}{_UNITS[unit]}"


def percent(share: float) -> str:
    """Return a share (0 to 1, or whatever the node has miscounted) as the node's text, such as `58.81%`."""
    return f"{round(share * 100, 2):g}%"
