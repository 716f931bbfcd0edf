"""DBC clients: what a person must do so that the fleet can be seen at all. No machine is blamed for it."""

from __future__ import annotations

from monitoring import links
from monitoring.alert import Alert, Group, Known, Severity
from monitoring.alerts_nodes import COMPARABLE

CLIENT = "job, client"
_KNOWN = (Known(CLIENT, 'dbc_client_state{state="unknown"} == 0'),)


def _state(
    name: str,
    states: str,
    operation: str,
    *,
    summary: str,
    description: str,
    known: tuple[Known, ...] = _KNOWN,
) -> Alert:
    """Declare an alert on states of a client, of which it is in one at a time: so each trouble pages once."""
    return Alert(
        name,
        Severity.PAGE,
        ids=CLIENT,
        record=f"client:dbc_client_state:{operation}",
        when=f"max by ({CLIENT}) (dbc_client_state{{{states}}}) == 1",
        known=known,
        page=links.FLEET,
        summary=summary,
        description=f"DBC client {{{{ $labels.client }}}} {description}",
        paced="client",
    )


GROUP = Group(
    "dbc-clients",
    "for whoever runs the DBC clients",
    (
        _state(
            "DbcClientDown",
            'state="unreachable"',
            "unreachable",
            summary="A DBC client does not answer.",
            description="does not answer HTTP. What only it can see is unknown now, not down.",
        ),
        _state(
            "DbcClientIsolated",
            'state="isolated"',
            "isolated",
            summary="A DBC client has no peers.",
            description="answers, but is connected to no peer: it reaches no machine, and would crash if asked to.",
        ),
        _state(
            "DbcClientWedged",
            'state="wedged"',
            "wedged",
            summary="A DBC client has used up its sessions and must be restarted.",
            description="refuses every request to a machine, because all of its 1,024 sessions are lost.",
        ),
        _state(
            "DbcClientAtCeiling",
            'state="ceiling"',
            "ceiling",
            summary="A DBC client has so many unanswered requests that nothing more is sent through it.",
            description="is spared before it wedges. Restart it: only that frees its sessions.",
        ),
        _state(
            "DbcClientTroubled",
            'state=~"troubled|unknown"',
            "troubled",
            summary="A DBC client answers, but not usably.",
            description="gives answers that make no sense, or does not say how many peers it has.",
            known=(Known(CLIENT, 'dbc_client_state{state=~"troubled|unknown"} == 0'),),
        ),
        Alert(
            "DbcClientUnansweredGrowing",
            Severity.TICKET,
            ids=CLIENT,
            record="client:dbc_client_unanswered:growing",
            when=f"""\
max by ({CLIENT}) (dbc_client_unanswered / dbc_client_unanswered_ceiling) > ${{client_unanswered_ratio}}
and on ({CLIENT})
max by ({CLIENT}) (dbc_client_unanswered - min_over_time(dbc_client_unanswered[6h])) > 0""",
            known=(Known(CLIENT, "dbc_client_unanswered"),),
            page=links.FLEET,
            summary="A DBC client loses sessions.",
            description="DBC client {{ $labels.client }} has lost {{ $value | humanizePercentage }} of the sessions it may lose "
            "before nothing more is sent through it, and goes on losing.",
            paced="client",
        ),
        Alert(
            "DbcClientVersionDiffers",
            Severity.INFO,
            ids=f"{CLIENT}, version",
            record="client_version:dbc_client_info:differs",
            when=f"""\
max by ({CLIENT}, version) (dbc_client_info{{version!=""}})
unless on (job, version) job_version:dbc_node_info:majority
and on (job) job_version:dbc_node_info:majority""",
            known=(Known(CLIENT, f"dbc_client_info {COMPARABLE}"),),
            page=links.FLEET,
            summary="A DBC client runs another version than most of its nodes.",
            description="DBC client {{ $labels.client }} runs version {{ $labels.version }}, most nodes another one.",
            paced="client",
        ),
    ),
)
