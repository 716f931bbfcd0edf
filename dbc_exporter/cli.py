"""The command line. Bodies of commands are imported only when asked for; nothing here ends in a traceback.

Exit codes: 0 well, 1 not well (`once`, `healthcheck`, a server that cannot start), 2 settings or command line wrong,
130 interrupted.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib import import_module

from dbc_exporter import logs
from dbc_exporter.config import flags
from dbc_exporter.config.flags import Command
from dbc_exporter.config.load import Loaded, read
from dbc_exporter.config.problems import ConfigError, Problem
from dbc_exporter.config.secrets import values, webhook_token
from dbc_exporter.config.settings import Settings
from dbc_exporter.dbc.authority import CredentialError
from dbc_exporter.web.listen import ListenError

OK = 0
FAILED = 1
MISUSED = 2
INTERRUPTED = 130

log = logs.get_logger(__name__)


def main(argv: Sequence[str] | None = None, env: Mapping[str, str] | None = None) -> int:
    """Run the command a command line asks for and return the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        if arguments[:1] == [Command.SIMULATOR]:
            return _simulator(arguments[1:])
        if arguments[:1] == [Command.REMEDIATION]:
            return _remediation(arguments[1:], os.environ if env is None else env)
        if arguments[:1] == [Command.VERSION]:
            print(flags.VERSION)
            return OK
        return _run(arguments, os.environ if env is None else env)
    except ConfigError as error:
        return _refuse(error)
    except CredentialError as error:
        return _refuse(ConfigError([Problem((), str(error))]))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # who reads us has gone, as `head` does; the interpreter must not try to flush once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _refuse(error: ConfigError) -> int:
    count = len(error.problems)
    if count > 1:
        print(f"dbc-exporter: {count} problems:", file=sys.stderr)
    for problem in error.problems:
        print(f"dbc-exporter: {problem}" if count == 1 else f"  {problem}", file=sys.stderr)
    return MISUSED


def _simulator(arguments: Sequence[str]) -> int:
    parser = flags.command_parser(Command.SIMULATOR)
    run = import_module("dbc_exporter.simulator.run")
    run.add_arguments(parser)
    code = run.main(parser.parse_args(arguments))
    return code if isinstance(code, int) else OK


def _remediation(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    from dbc_exporter.remediation_cli import CallError, run  # noqa: PLC0415 (this command alone needs it)

    try:
        said, code = run(arguments, env)
    except CallError as error:
        print(f"dbc-exporter: {error}", file=sys.stderr)
        return FAILED
    print(said)
    return code


def _run(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    loaded = read(arguments, env)
    secrets = set(_secrets(loaded.settings))
    _set_up_logs(loaded, secrets)
    if loaded.command is Command.CHECK_CONFIG:
        from dbc_exporter.check_config import report  # noqa: PLC0415 (this command alone needs it)

        print(report(loaded))
        return OK
    if loaded.command is Command.HEALTHCHECK:
        from dbc_exporter.healthcheck import ask  # noqa: PLC0415 (this command alone needs it)

        healthy, said = ask(loaded.settings.web)
        print(said, file=sys.stdout if healthy else sys.stderr)
        return OK if healthy else FAILED
    _warn(loaded)

    def reload() -> Settings:
        again = read(arguments, env)
        # secrets that were in use stay hidden
        secrets.update(_secrets(again.settings))
        _set_up_logs(again, secrets)
        _warn(again)
        return again.settings

    return _body(loaded, reload)


def _secrets(settings: Settings) -> Iterator[str]:
    yield from values(settings.credentials)
    if settings.remediation.webhook_token_file is not None:
        yield webhook_token(settings.remediation.webhook_token_file).get_secret_value()


def _set_up_logs(loaded: Loaded, secrets: Collection[str]) -> None:
    logs.setup(loaded.settings.log.level, loaded.settings.log.format, secrets=secrets)


def _warn(loaded: Loaded) -> None:
    for warning in loaded.warnings:
        log.warning("settings warning", warning=warning)


def _body(loaded: Loaded, reload: Callable[[], Settings]) -> int:
    """Run `serve`, `once` or `demo`; an address in use and the like end in one line, not a traceback."""
    settings = loaded.settings
    try:
        if loaded.command is Command.SERVE:
            asyncio.run(import_module("dbc_exporter.app").serve(settings, reload))
            return OK
        if loaded.command is Command.DEMO:
            asyncio.run(import_module("dbc_exporter.demo").demo(settings))
            return OK
        return int(asyncio.run(import_module("dbc_exporter.app").once(settings)))
    except (ListenError, OSError) as error:
        print(f"dbc-exporter: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return FAILED
