"""Takes secrets out of text that came from a server and may be shown or logged.

It hides rather too much: whatever looks like a key, signature, session id, wallet, address or the value of a field
known to be secret.
"""

from __future__ import annotations

import re

HIDDEN = "[hidden]"
SAID_LIMIT = 200
_READ_LIMIT = 4096

_HIDDEN_FIELDS = (
    "login_password|vnc_password|password|passwd|user_name|username|user|"
    "node_private_key|private_key|ipmi_hostname|ipmi_username|ipmi_password|ipmi_port|"
    "deeplink_device_id|deeplink_device_password|device_id|device_password|"
    "session_id|session_id_sign|sign|nonce|seed|secret|token|wallet|renter|rent_wallet|"
    "ssh_ip|ssh_port|rdp_port|vnc_port|public_ip|local_address|ip|addr|"
    "mnemonic|ip_cidr|source_file|network_name"
)
_HIDDEN_IN_JSON = f"{_HIDDEN_FIELDS}|file|snapshot_file"  # in plain words these are names the reader needs
_JSON_VALUE = re.compile(
    rf'("(?:{_HIDDEN_IN_JSON})"\s*:\s*)(?:"(?:[^"\\]|\\.)*(?:"|\\?$)|\[[^\]]*(?:\]|$)|[^\s,}}\]]+)',
    re.IGNORECASE,
)
_LOOSE_VALUE = re.compile(rf"\b({_HIDDEN_FIELDS})(\s*[:=]\s*)(?!\[hidden\])[^\s,;]+", re.IGNORECASE)
_COMMAND_LINE = re.compile(r"(?<!\S)(-[HUPp])\s+\S+")
_HOST = re.compile(r"\b(lookup for|resolve|host|hostname|connect to)\s+(?!\[hidden\])\S+", re.IGNORECASE)
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{32,}")
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{40,}")
_IPV4 = re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?::[0-9]{1,5})?")
_IPV6 = re.compile(r"(?<![0-9A-Za-z:])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}(?![0-9A-Za-z:])")


def redact(text: str) -> str:
    """Give the text with everything hidden that looks like a secret or an address."""
    text = _JSON_VALUE.sub(rf'\1"{HIDDEN}"', text)
    text = _COMMAND_LINE.sub(rf"\1 {HIDDEN}", text)
    text = _LOOSE_VALUE.sub(rf"\1\2{HIDDEN}", text)
    text = _HOST.sub(rf"\1 {HIDDEN}", text)
    text = _HEX.sub(HIDDEN, text)
    text = _BASE58.sub(HIDDEN, text)
    text = _IPV4.sub(HIDDEN, text)
    return _IPV6.sub(HIDDEN, text)


def quote(text: str) -> str:
    """Give what a server said as one short line: redacted first, then cut to 200 characters."""
    if len(text) > _READ_LIMIT:
        # A secret must not survive as the half that no pattern knows: the last word goes.
        text = text[:_READ_LIMIT].rpartition(" ")[0]
    shown = redact(text)
    if not shown.isprintable():
        shown = "".join(character if character.isprintable() else " " for character in shown)
    return shown[:SAID_LIMIT]
