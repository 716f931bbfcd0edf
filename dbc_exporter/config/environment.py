"""The environment's layer of settings: DBC_EXPORTER_ and the path in upper case, parts joined by two underscores."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource
from pydantic_settings.sources.utils import parse_env_vars

from dbc_exporter.config.layers import Layer
from dbc_exporter.config.problems import Path
from dbc_exporter.config.settings import ENV_PREFIX, Settings

CONFIG_FILE = f"{ENV_PREFIX}CONFIG_FILE"
# Kubernetes announces each service called dbc-exporter… to every pod of its namespace under our own prefix
_SERVICE_LINK = re.compile(
    r"(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)=.*|(\w+_)?PORT=\w+://.*"
)


class _Environment(EnvSettingsSource):
    """Reads a given mapping instead of the process' own, and leaves what is no JSON to validation."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._given = env
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(
            self._given, self.case_sensitive, self.env_ignore_empty, self.env_parse_none_str
        )

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def layer(env: Mapping[str, str]) -> Layer:
    """Return the environment's part of the tree."""
    names = sorted(name.upper() for name in env)

    def where(path: Path) -> str:
        for length in range(len(path), 0, -1):
            name = ENV_PREFIX + "__".join(str(part) for part in path[:length]).upper()
            found = next((known for known in names if known == name or known.startswith(f"{name}__")), None)
            if found is not None:
                return f"environment {found}"
        return "environment"

    return Layer("environment", _Environment(env)(), where)


def unknown(env: Mapping[str, str]) -> list[str]:
    """Return the variables under our prefix that name no section of the tree."""
    return sorted(
        name
        for name, value in env.items()
        if name.upper().startswith(ENV_PREFIX)
        and name.upper() != CONFIG_FILE
        and (rest := name.upper().removeprefix(ENV_PREFIX)).split("__")[0].lower()
        not in Settings.model_fields
        and not _SERVICE_LINK.fullmatch(f"{rest}={value}")
    )
