"""Image transfers: for whoever waits for the image."""

from __future__ import annotations

from monitoring import links
from monitoring.alert import Alert, Group, Known, Severity
from monitoring.alerts_nodes import LEFT

TRANSFER = "job, node_id, image, direction"
_KNOWN = (Known(TRANSFER, "dbc_image_transfer_state"), LEFT)
_DOWNLOAD = 'dbc_image_transfer_state{direction="download", state='
_LAST_KNOWN = f"""\
max by ({TRANSFER}) ({_DOWNLOAD}"downloading"}} == 1)
  or 0 * max by ({TRANSFER}) ({_DOWNLOAD}"finished"}} == 1)"""
"""1 while a download moves, 0 when it is finished, and nothing while its state is unknown."""

_MOVING = 'dbc_image_transfer_state{state=~"downloading|uploading"}'
_PROGRESS = "dbc_image_transfer_progress_ratio"

GROUP = Group(
    "dbc-transfers",
    "for whoever waits for an image",
    (
        Alert(
            "DbcTransferStalled",
            Severity.TICKET,
            ids=TRANSFER,
            record="transfer:dbc_image_transfer_progress_ratio:stalled",
            when=f"""\
max by ({TRANSFER}) ({_PROGRESS})
and on ({TRANSFER}) max by ({TRANSFER}) ({_MOVING}) == 1
and on ({TRANSFER})
max by ({TRANSFER}) (max_over_time({_PROGRESS}[15m]) - min_over_time({_PROGRESS}[15m])) < ${{transfer_progress_ratio}}""",
            known=_KNOWN,
            page=links.TRANSFERS,
            summary="An image transfer makes no progress.",
            description="The {{ $labels.direction }} of {{ $labels.image }} at node {{ $labels.node_id }} stands at "
            "{{ $value | humanizePercentage }}.",
            paced="transfers",
        ),
        Alert(
            "DbcTransferVanished",
            Severity.TICKET,
            ids=TRANSFER,
            record="transfer:dbc_image_transfer_state:vanished",
            when=f"""\
max by ({TRANSFER}) ({_DOWNLOAD}"unknown"}}) == 1
and on ({TRANSFER}) last_over_time(({_LAST_KNOWN})[6h:30s]) == 1
unless on ({TRANSFER})
label_replace(max by (job, node_id, image) (dbc_image_size_bytes), "direction", "download", "", "") > 0""",
            known=_KNOWN,
            page=links.TRANSFERS,
            summary="An image download ended without its image.",
            description="The download of {{ $labels.image }} at node {{ $labels.node_id }} moved, ended, and nothing "
            "shows that it succeeded. DBC says done for a failed one too.",
            paced="transfers",
        ),
    ),
)
