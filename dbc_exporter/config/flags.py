"""Flags in Prometheus' style, generated from the settings tree, such as `--web.listen-address` and `--no-collector.vms`."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Any, NoReturn, get_origin

from pydantic.fields import FieldInfo

from dbc_exporter import __version__
from dbc_exporter.config.layers import Layer
from dbc_exporter.config.problems import ConfigError, Path, Problem
from dbc_exporter.config.section import Section
from dbc_exporter.config.settings import (
    CollectorsSettings,
    LogSettings,
    Settings,
    StorageSettings,
    WebSettings,
)

VERSION = f"dbc-exporter, version {__version__} (python {platform.python_version()})"


class Command(StrEnum):
    """What the program is asked to do."""

    SERVE = "serve"
    DEMO = "demo"
    SIMULATOR = "simulator"
    CHECK_CONFIG = "check-config"
    ONCE = "once"
    HEALTHCHECK = "healthcheck"
    REMEDIATION = "remediation"
    VERSION = "version"


COMMANDS = {
    Command.SERVE: "poll and serve metrics until stopped (the default)",
    Command.DEMO: "the same, on a simulated fleet",
    Command.SIMULATOR: "serve a simulated DBC network (has flags of its own)",
    Command.CHECK_CONFIG: "check settings and target files, and print what they allow",
    Command.ONCE: "poll everything once, print the metrics; the exit code tells whether all went well",
    Command.HEALTHCHECK: "ask the running exporter whether it is healthy; the exit code tells",
    Command.REMEDIATION: "look after remediation: status, explain, approve, pause, lint … (has flags of its own)",
    Command.VERSION: "print the version",
}

_WITH_OWN_FLAGS = (Command.SIMULATOR, Command.REMEDIATION)
_SECTIONS: dict[str, type[Section]] = {"web": WebSettings, "log": LogSettings, "storage": StorageSettings}
_NAMES = {("web", "config_file"): "web.config.file"}


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag and the setting it sets. A switch also has a `--no-` form."""

    name: str
    path: Path
    help: str
    switch: bool = False
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Arguments:
    """A parsed command line: its layer of the settings, and what is no setting."""

    command: Command
    config_file: FilePath | None
    layer: Layer


def flags() -> Iterator[Flag]:
    """Yield the flags that set something, in the order of the tree."""
    yield Flag(
        "dbc.client", ("clients",), "URL of a DBC client; repeatable; replaces `clients`", repeatable=True
    )
    for field in ("shard", "total_shards"):
        yield Flag(field.replace("_", "-"), (field,), _help(Settings.model_fields[field]))
    for section, model in _SECTIONS.items():
        for field, info in model.model_fields.items():
            name = _NAMES.get((section, field), f"{section}.{field.replace('_', '-')}")
            yield Flag(name, (section, field), _help(info), repeatable=get_origin(info.annotation) is tuple)
    for field, info in CollectorsSettings.model_fields.items():
        state = "on" if info.default.enabled else "off"
        path = ("collectors", field)
        yield Flag(
            f"collector.{field}", (*path, "enabled"), f"{info.description} (default: {state})", switch=True
        )
        yield Flag(
            f"collector.{field}.interval",
            (*path, "interval_seconds"),
            f"time between two polls (default: {info.default.interval_seconds:g}s)",
        )


def parse(argv: Sequence[str]) -> Arguments:
    """Parse a command line without the program's name.

    Raises ConfigError for what cannot be understood, and SystemExit after `--help` and `--version`.
    """
    given = vars(parser().parse_args(list(argv)))
    command = _command(given.pop("command"))
    if given.pop("config.check", False):
        command = Command.CHECK_CONFIG
    config_file = given.pop("config.file", None)
    data: dict[str, Any] = {}
    by_path: dict[Path, str] = {}
    for flag in flags():
        if flag.name not in given:
            continue
        value = given[flag.name]
        inner = data
        for part in flag.path[:-1]:
            inner = inner.setdefault(str(part), {})
        inner[str(flag.path[-1])] = [{"url": url} for url in value] if flag.path == ("clients",) else value
        by_path[flag.path] = f"flag --{flag.name}"

    def where(path: Path) -> str:
        return next((by_path[path[:n]] for n in range(len(path), 0, -1) if path[:n] in by_path), "flags")

    return Arguments(command, FilePath(config_file) if config_file else None, Layer("flags", data, where))


def _command(text: str) -> Command:
    try:
        command = Command(text)
    except ValueError:
        known = ", ".join(COMMANDS)
        raise ConfigError(
            [Problem((), f"{text!r} is no command; the commands are {known}", "command line")]
        ) from None
    if command in _WITH_OWN_FLAGS:
        raise ConfigError([Problem((), f"{text} has flags of its own; write it first", "command line")])
    return command


def parser() -> argparse.ArgumentParser:
    """Build the parser; what was not given is absent from its namespace."""
    made = _Parser(
        prog="dbc-exporter",
        description="Prometheus exporter for DeepBrainChain machines.",
        epilog="commands:\n" + "\n".join(f"  {command:<14}{text}" for command, text in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    made.add_argument(
        "command",
        nargs="?",
        default=Command.SERVE,
        metavar="command",
        help="what to do; default: serve",
    )
    made.add_argument("--version", action="version", version=VERSION)
    made.add_argument("--config.file", metavar="FILE", help="YAML file of settings")
    made.add_argument("--config.check", action="store_true", help="the same as the command check-config")
    for flag in flags():
        if flag.switch:
            made.add_argument(
                f"--{flag.name}", action=argparse.BooleanOptionalAction, dest=flag.name, help=flag.help
            )
        else:
            made.add_argument(
                f"--{flag.name}",
                action="append" if flag.repeatable else "store",
                dest=flag.name,
                metavar=_metavar(flag),
                help=flag.help,
            )
    return made


def _metavar(flag: Flag) -> str:
    last = str(flag.path[-1]).rsplit("_", 1)[-1]
    return {"clients": "URL", "seconds": "DURATION"}.get(last, last.upper())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError([Problem((), f"{message}; see dbc-exporter --help", "command line")])


def _help(info: FieldInfo) -> str:
    if isinstance(info.default, tuple):
        return f"{info.description}; repeatable (default: {', '.join(info.default)})"
    default = "none" if info.default is None else str(info.default)
    return f"{info.description} (default: {default})"


def command_parser(command: Command) -> argparse.ArgumentParser:
    """Return an empty parser for a command with flags of its own; it refuses as ours does."""
    return _Parser(prog=f"dbc-exporter {command}", description=COMMANDS[command], allow_abbrev=False)


def flag_of(path: Path) -> str | None:
    """Return the flag that sets a setting, if there is one."""
    known = {flag.path: flag for flag in flags()}
    flag = known.get(path)
    if flag is None:
        return None
    return f"--{flag.name}, --no-{flag.name}" if flag.switch else f"--{flag.name}"
