"""Images and their transfers."""

from __future__ import annotations

from monitoring.dashboards.frame import Page, Row, node_variable
from monitoring.dashboards.panels import ANY_IS_ODD, Column, Link, Query, lines, number, rows
from monitoring.dashboards.selectors import m, named

NODE = "~$node"
BY = "node_id, image, direction"
PROGRESS = m("dbc_image_transfer_progress_ratio", node_id=NODE)
RATE_WINDOW = "10m"
SPEED = f"deriv({m('dbc_image_transfer_progress_ratio', RATE_WINDOW, node_id=NODE)})"
MOVING = m("dbc_image_transfer_state", node_id=NODE, state="~downloading|uploading")

TRANSFERS = Row(
    "Transfers",
    [
        number(
            "Moving",
            "Transfers that are downloading or uploading.",
            f"sum({MOVING})",
            none="none configured",
        ),
        number(
            "Finished",
            "Transfers that this exporter saw move and whose file is listed afterwards.",
            f"sum({m('dbc_image_transfer_state', node_id=NODE, state='finished')})",
            none="none configured",
        ),
        number(
            "Unknown",
            "Transfers of which nobody can tell: DBC calls unknown and failed files done as well.",
            f"sum({m('dbc_image_transfer_state', node_id=NODE, state='unknown')})",
            steps=ANY_IS_ODD,
            none="none configured",
        ),
        number(
            "Standing still",
            f"Transfers that are moving by their state and whose progress did not change for {RATE_WINDOW}.",
            f"sum(({SPEED} <= bool 0) and on (job, instance, {BY}) ({MOVING} == 1)) or 0 * sum({MOVING})",
            steps=ANY_IS_ODD,
            none="none configured",
        ),
        lines(
            "States",
            "Transfers by state.",
            Query(f"sum by (state) ({m('dbc_image_transfer_state', node_id=NODE)})", "{{state}}"),
            stacked=True,
            width=8,
            height=8,
        ),
        lines(
            "Progress",
            "Progress of each transfer, the twenty least advanced ones.",
            Query(named(f"bottomk(20, max by ({BY}) ({PROGRESS}))"), "{{name}}: {{image}} ({{direction}})"),
            unit="percentunit",
            full=1,
            width=24,
        ),
        rows(
            "All transfers",
            f"Every transfer with its state, progress and pace over {RATE_WINDOW}.",
            Column(f"max by ({BY}, state) ({m('dbc_image_transfer_state', node_id=NODE)} == 1)"),
            Column(f"max by ({BY}) ({PROGRESS})", "Progress", "percentunit"),
            Column(f"3600 * max by ({BY}) ({SPEED} > 0)", "Progress in an hour", "percentunit"),
            Column(
                f"(1 - max by ({BY}) ({PROGRESS})) / max by ({BY}) ({SPEED} > 0)", "Time to go", "dtdurations"
            ),
            labels={
                "image": "Image",
                "direction": "Direction",
                "state": "State",
                "node_id": "Node id",
            },
            link=Link("Node id", "dbc-node", "This node", (("node", "Node id"),)),
            height=9,
        ),
    ],
)

IMAGES = Row(
    "Images",
    [
        rows(
            "Images on image centres",
            "Image files on the centres that the clients know.",
            Column(f"max by (centre, image) ({m('dbc_centre_image_size_bytes')})", "Size", "bytes"),
            labels={"centre": "Centre", "image": "Image"},
            width=12,
        ),
        rows(
            "Images on nodes",
            "Image files on the nodes chosen above.",
            Column(
                named(f"max by (node_id, image) ({m('dbc_image_size_bytes', node_id=NODE)})"), "Size", "bytes"
            ),
            labels={"name": "Node", "image": "Image", "node_id": "Node id"},
            link=Link("Node", "dbc-node", "This node", (("node", "Node id"),)),
            width=12,
        ),
    ],
)

PAGE = Page(
    "dbc-transfers",
    "DBC / Image transfers",
    "Transfers of images to and from nodes: what moves, what stands still, what ended without its file.",
    (TRANSFERS, IMAGES),
    variables=(node_variable("compute", "Node", multi=True),),
)
