"""A physical server as its manager has it on record, and the JSON texts the manager pastes together about it.

Nothing is escaped: a quote in a description breaks the whole answer, as it does in the real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dbc_exporter.simulator.protocol import BARE_METAL_SERVER


class InvalidServer(ValueError):  # noqa: N818 - the manager's answer, not a programming error
    """A record that the manager refuses; the text is its answer."""


@dataclass(slots=True)
class BareMetalServer:
    """One registered server; `node_id` doubles as its machine id on the chain."""

    node_id: str
    uuid: str
    private_key: str = field(repr=False)
    ip: str = ""
    os: str = ""
    description: str = ""
    ipmi_hostname: str = ""
    ipmi_username: str = field(default="", repr=False)
    ipmi_password: str = field(default="", repr=False)
    ipmi_port: int | None = None
    deeplink_device: str = ""
    deeplink_password: str = field(default="", repr=False)
    boot_device: str = "none"
    owes_power_off: bool = False
    """Was rented since the manager last switched it off: the prune round after the rental switches it off, once."""

    def listed(self, *, masked: bool, power_status: str | None = None) -> str:
        """Return the element of the manager's list."""
        hide = _stars if masked else _clear
        members = [
            f'"node_id":"{self.node_id}"',
            f'"node_private_key":"{hide(self.private_key)}"',
            f'"uuid":"{self.uuid}"',
            f'"ip":"{self.ip}"',
            f'"os":"{self.os}"',
            f'"description":"{self.description}"',
            f'"ipmi_hostname":"{self.ipmi_hostname}"',
            f'"ipmi_username":"{hide(self.ipmi_username)}"',
            f'"ipmi_password":"{hide(self.ipmi_password)}"',
        ]
        if self.ipmi_port is not None:
            members.append(f'"ipmi_port":{self.ipmi_port}')
        if power_status is not None:
            members.append(f'"power_status":"{power_status}"')
        if self.deeplink_device:
            members.append(f'"deeplink_device_id":"{self.deeplink_device}"')
            members.append(f'"deeplink_device_password":"{hide(self.deeplink_password)}"')
        return "{" + ",".join(members) + "}"

    def info(self, version: str) -> str:
        """Return the public server information that `/mining_nodes` gives."""
        text = f'"version":"{version}","node_type":"{BARE_METAL_SERVER}","ip":"{self.ip}","os":"{self.os}"'
        if self.deeplink_device:
            hidden = _stars(self.deeplink_password)
            text += f',"deeplink":{{"device_id":"{self.deeplink_device}","device_password":"{hidden}"}}'
        return f'{{"errcode":0,"message":{{{text}}}}}'

    def detail(self, version: str, power_status: str | None) -> str:
        """Return what a renter gets to see."""
        text = f'"version":"{version}","ip":"{self.ip}","os":"{self.os}","description":"{self.description}"'
        if power_status is not None:
            text += f',"power_status":"{power_status}"'
        if self.deeplink_device:
            text += (
                f',"deeplink_device_id":"{self.deeplink_device}"'
                f',"deeplink_device_password":"{self.deeplink_password}"'
            )
        return f'{{"errcode":0, "message":{{{text}}}}}'

    def secrets(self) -> tuple[str, ...]:
        """Return what only the manager's own key may see."""
        return self.private_key, self.ipmi_username, self.ipmi_password, self.deeplink_password

    def change(self, given: Mapping[str, Any]) -> None:
        """Take over the fields a request names. Raises InvalidServer before anything is changed."""
        if isinstance(given.get("uuid"), str) and not is_valid_uuid(given["uuid"]):
            raise InvalidServer("invalid uuid")
        port = given.get("ipmi_port")
        if port is not None and not is_valid_port(port):
            raise InvalidServer("invalid ipmi port")
        for key, attribute in _TEXT_FIELDS.items():
            if isinstance(given.get(key), str):
                setattr(self, attribute, given[key])
        if port is not None:
            self.ipmi_port = port


_TEXT_FIELDS = {
    "uuid": "uuid",
    "ip": "ip",
    "os": "os",
    "desc": "description",
    "ipmi_hostname": "ipmi_hostname",
    "ipmi_username": "ipmi_username",
    "ipmi_password": "ipmi_password",
}
_REQUIRED = ("uuid", "ip", "os", "ipmi_hostname", "ipmi_username", "ipmi_password")


def check_new(given: object) -> dict[str, Any]:
    """Return a record to be added if the manager would take it. Raises InvalidServer."""
    if not isinstance(given, dict):
        raise InvalidServer("bare metal node info  invalid")
    uuid = given.get("uuid")
    if not isinstance(uuid, str) or not is_valid_uuid(uuid):
        raise InvalidServer(f"bare metal node info {uuid if isinstance(uuid, str) else ''} invalid")
    if not all(isinstance(given.get(key), str) and given[key] for key in _REQUIRED):
        raise InvalidServer(f"bare metal node info {uuid} invalid")
    port = given.get("ipmi_port")
    if port is not None and not is_valid_port(port):
        raise InvalidServer(f"invalid ipmi port in {uuid}")
    return given


def is_valid_uuid(text: str) -> bool:
    """Say whether the manager takes this as a uuid: letters, digits and `-`."""
    return bool(text) and text.isascii() and text.replace("-", "").isalnum()


def is_valid_port(port: object) -> bool:
    """Say whether the manager takes this as a port: a JSON number in range."""
    return isinstance(port, int) and not isinstance(port, bool) and 0 < port <= 65535  # noqa: PLR2004 - TCP


def _stars(secret: str) -> str:
    return "*" * len(secret)


def _clear(secret: str) -> str:
    return secret
