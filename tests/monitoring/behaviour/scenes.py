"""Every stage that is played. A new module of cases is added here."""

from __future__ import annotations

from tests.monitoring.behaviour.scenarios_clients import CLIENT_TROUBLES
from tests.monitoring.behaviour.scenarios_discovery import DISCOVERED
from tests.monitoring.behaviour.scenarios_exporter import CHAIN, REMEDIATION
from tests.monitoring.behaviour.scenarios_itself import GONE, ITSELF, STUCK
from tests.monitoring.behaviour.scenarios_machines import MACHINES
from tests.monitoring.behaviour.scenarios_pace import TOO_LARGE
from tests.monitoring.behaviour.scenarios_remediation import ASKED, FAILING, UNANSWERED, VAIN
from tests.monitoring.behaviour.scenarios_shards import SHARDS
from tests.monitoring.behaviour.scenarios_sick import SICK
from tests.monitoring.behaviour.scenarios_useless import USELESS_CLIENTS
from tests.monitoring.behaviour.scenarios_versions import VERSIONS
from tests.monitoring.behaviour.stage import Stage

STAGES: tuple[Stage, ...] = (
    MACHINES,
    DISCOVERED,
    SICK,
    VERSIONS,
    *CLIENT_TROUBLES,
    *USELESS_CLIENTS,
    REMEDIATION,
    CHAIN,
    ITSELF,
    STUCK,
    GONE,
    FAILING,
    VAIN,
    ASKED,
    UNANSWERED,
    TOO_LARGE,
    SHARDS,
)
