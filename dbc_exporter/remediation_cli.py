"""`dbc-exporter remediation …`: asks the running exporter, or works on files where none need run."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from pydantic_core import PydanticCustomError

from dbc_exporter.config.documents import read_text
from dbc_exporter.config.flags import Command, command_parser
from dbc_exporter.config.load import read
from dbc_exporter.config.problems import ConfigError, Problem
from dbc_exporter.config.section import parse_duration
from dbc_exporter.config.settings import WebSettings
from dbc_exporter.remediation_client import CallError, Exporter
from dbc_exporter.remediation_text import status_text
from dbc_exporter.web.listen import UNIX, Address, asked_at
from dbc_exporter.web.live import LiveConfig
from dbc_exporter.web.pages.show import duration
from dbc_exporter.web.remediation_types import Explained, Pause, Proposal, Status
from dbc_exporter.web.webconfig import WebConfigError

__all__ = ["CallError", "run"]

_MOST_PASSWORD_BYTES = 4096


def run(arguments: Sequence[str], env: Mapping[str, str]) -> tuple[str, int]:
    """Do what a command line (after `remediation`) asks; return what to print and the exit code.

    Raises `ConfigError` for a wrong command line or file, `CallError` where the exporter did not do it.
    """
    given = _parser().parse_args(list(arguments))
    if given.verb in ("lint", "replay"):
        return _local(given, env)
    exporter = _exporter(given, env)
    said = _ASK[given.verb](exporter, given)
    return (said.decode() if given.json else _TELL[given.verb](said)).rstrip("\n"), 0


def _local(given: argparse.Namespace, env: Mapping[str, str]) -> tuple[str, int]:
    from dbc_exporter import remediation_local  # noqa: PLC0415 (the other verbs need nothing of remediation)

    if given.verb == "lint":
        return remediation_local.lint_policy(given.policy, _config(given), env)
    found = remediation_local.replay_policy(
        given.policy, given.since, getattr(given, "storage.path"), _config(given), env, as_json=given.json
    )
    return found, 0


# -- asking


def _pause(exporter: Exporter, given: argparse.Namespace) -> bytes:
    question: dict[str, Any] = {"seconds": getattr(given, "for"), "reason": given.reason}
    return exporter.post("pause", question | ({"node_id": given.node} if given.node else {}))


def _explain(exporter: Exporter, given: argparse.Namespace) -> bytes:
    at = {"at": given.at} if given.at else {}
    return exporter.get("explain", target=given.target, **at)


def _clear(exporter: Exporter, given: argparse.Namespace) -> bytes:
    breaker = given.target == "breaker"
    return exporter.post("clear", {"breaker": True} if breaker else {"target": given.target})


_ASK: dict[str, Callable[[Exporter, argparse.Namespace], bytes]] = {
    "status": lambda exporter, _given: exporter.get("status"),
    "explain": _explain,
    "approve": lambda exporter, given: exporter.post("approve", {"id": given.id}),
    "reject": lambda exporter, given: exporter.post("reject", {"id": given.id}),
    "pause": _pause,
    "resume": lambda exporter, given: exporter.post("resume", {"id": given.id} if given.id else {}),
    "clear": _clear,
}


# -- telling


def _answered(said: bytes) -> str:
    one = msgspec.json.decode(said, type=Proposal)
    return f"{one.answer}: {one.action} of {one.target}"


def _paused(said: bytes) -> str:
    one = msgspec.json.decode(said, type=Pause)
    what = one.node_id or "everything"
    return f"paused {what} for {duration(one.expires - one.created)}; end it with: resume {one.id}"


_TELL: dict[str, Callable[[bytes], str]] = {
    "status": lambda said: status_text(msgspec.json.decode(said, type=Status)),
    "explain": lambda said: msgspec.json.decode(said, type=Explained).text,
    "approve": _answered,
    "reject": _answered,
    "pause": _paused,
    "resume": lambda said: f"ended: {', '.join(msgspec.json.decode(said)['resumed'])}",
    "clear": lambda said: f"cleared: {msgspec.json.decode(said)['cleared']}",
}


# -- the command line


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(Command.REMEDIATION)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")

    def verb(name: str, text: str, *, remote: bool = True) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        made.add_argument("--config.file", metavar="FILE", help="YAML file of settings")
        if name != "lint":
            made.add_argument("--json", action="store_true", help="answer as JSON")
        if remote:
            made.add_argument(
                "--url",
                type=_url,
                help="where the exporter listens; default: on this machine, by the settings",
            )
            made.add_argument("--user", default="", help="user of its web.config_file")
            made.add_argument("--password-file", type=Path, metavar="FILE", help="file with the password")
            made.add_argument("--ca-file", type=Path, metavar="FILE", help="authority to trust for https")
        return made

    verb("status", "how things stand")
    explain = verb("explain", "why something was, or was not, done to a target")
    explain.add_argument("target", help="node id, or node id/task id")
    explain.add_argument("--at", help="when: Unix seconds or a time such as 2026-11-24T10:00:00Z")
    for name, text in (("approve", "approve a proposal"), ("reject", "reject a proposal")):
        verb(name, text).add_argument("id", help="its id, as status shows it")
    pause = verb("pause", "let nothing be done for a while")
    pause.add_argument("--node", metavar="NODE_ID", help="to this node alone; default: to any")
    pause.add_argument("--for", type=_seconds, required=True, metavar="DURATION", help="such as 2h")
    pause.add_argument("--reason", required=True, help="why, for the others")
    verb("resume", "end a pause").add_argument("id", nargs="?", help="which; default: all of your own")
    verb("clear", "let a target out of quarantine, or close the breaker").add_argument(
        "target", metavar="TARGET|breaker", help="node id, node id/task id, or the word breaker"
    )
    lint = verb("lint", "find contradictions in a policy", remote=False)
    lint.add_argument("--policy", type=Path, metavar="FILE", help="default: the settings' policy")
    replay = verb("replay", "what a policy would have done", remote=False)
    replay.add_argument("--policy", type=Path, required=True, metavar="FILE", help="the policy to try")
    replay.add_argument(
        "--since", type=_seconds, default=30 * 86_400.0, metavar="DURATION", help="default: 30d"
    )
    replay.add_argument(
        "--storage.path",
        type=Path,
        metavar="DIRECTORY",
        help="where the history is; default: by the settings",
    )
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(parse_duration(text))
    except PydanticCustomError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error.message()}") from None
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be more than nothing")
    return seconds


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise argparse.ArgumentTypeError("must be http://host:port or https://host:port, without a user")
    return text


def _config(given: argparse.Namespace) -> list[str]:
    file = getattr(given, "config.file")
    return ["--config.file", file] if file else []


def _exporter(given: argparse.Namespace, env: Mapping[str, str]) -> Exporter:
    if bool(given.user) is (given.password_file is None):
        raise _wrong("--user and --password-file belong together")
    password = ""
    if given.password_file is not None:
        password = read_text(given.password_file, _MOST_PASSWORD_BYTES).rstrip("\r\n")
    url = given.url or _own(read(["healthcheck", *_config(given)], env).settings.web)
    return Exporter(url, given.user, password, given.ca_file)


def _own(web: WebSettings) -> str:
    """Return where the exporter of these settings can be asked from this machine."""
    places = [asked_at(text) for text in web.listen_address if not text.startswith(UNIX)]
    here = next((Address(*place) for place in places if place[0] == "localhost" or _loopback(place[0])), None)
    if here is None:
        raise _wrong(f"the exporter listens on {', '.join(web.listen_address)}; give --url")
    try:
        scheme = "https" if LiveConfig(web.config_file).https else "http"
    except WebConfigError as error:
        raise _wrong(f"{error}; give --url") from None
    return f"{scheme}://{here}{web.prefix}"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong(text: str) -> ConfigError:
    return ConfigError([Problem((), text, "command line")])
