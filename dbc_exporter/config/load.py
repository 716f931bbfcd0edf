"""Build the settings from a command line, an environment and a file. All problems are reported at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from dbc_exporter.config import checks, environment, flags, secrets
from dbc_exporter.config.documents import parse, read_text
from dbc_exporter.config.flags import Command
from dbc_exporter.config.layers import Draft, Layer, absolute_paths, has, lookup, merge, origin, where
from dbc_exporter.config.problems import ConfigError, Path, Problem, dotted, explain, inside
from dbc_exporter.config.references import Names
from dbc_exporter.config.settings import Settings, address
from dbc_exporter.target_files import TargetFiles
from dbc_exporter.targets import Target

_SECRETS = ("seed", "mnemonic", "uri", "session_id", "session_sign", "key")
_WITHOUT_CLIENTS = (Command.DEMO, Command.HEALTHCHECK, Command.VERSION)
_NO_CLIENTS = (
    "none is given; add `clients: [{url: http://host:port}]`, or start with --dbc.client http://host:port"
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with the command they are for, the targets given in them and their files, and warnings to show."""

    command: Command
    settings: Settings
    targets: tuple[Target, ...] = ()
    warnings: tuple[str, ...] = ()


def load(argv: Sequence[str], env: Mapping[str, str]) -> Settings:
    """Return the settings for a command line (without the program's name) and an environment.

    May be called again with the same arguments, as on SIGHUP: it reads files and changes nothing.
    Raises ConfigError with every problem found.
    """
    return read(argv, env).settings


def names(settings: Settings) -> Names:
    """Return what targets may refer to."""
    types = {name: credential.type for name, credential in settings.credentials.items()}
    return Names(types, tuple(client.name for client in settings.clients), settings.total_shards > 1)


def static_targets(settings: Settings) -> tuple[Target, ...]:
    """Return the targets given in the settings themselves."""
    return tuple(target for record in settings.targets.static for target in record.targets())


def target_files(settings: Settings) -> TargetFiles:
    """Return the settings' target files, not yet read."""
    ids = [target.id for target in static_targets(settings)]
    return TargetFiles(settings.targets.files, names(settings), ids)


def read(argv: Sequence[str], env: Mapping[str, str]) -> Loaded:
    """Do what `load` does, and return all there is to know besides the settings."""
    arguments = flags.parse(argv)
    file = arguments.config_file or _file_of(env)
    layers = [arguments.layer, environment.layer(env)]
    if file is not None:
        layers.append(_file_layer(file))
    outcome = _validate(merge(layers), layers)
    ignored = [
        f"environment {name}: is no setting of ours; it is ignored" for name in environment.unknown(env)
    ]
    ignored += [f"{problem.where}: {problem.text}; it is ignored" for problem in outcome.ignored]
    if arguments.command is Command.HEALTHCHECK and outcome.settings is not None:
        # the running exporter has judged the rest; only its address matters here
        return Loaded(arguments.command, outcome.settings)
    loaded, later = _judge(outcome, env, arguments.command)
    problems = [*outcome.problems, *later]
    if problems:
        raise ConfigError(problem.at(problem.where or where(layers, problem.path)) for problem in problems)
    told = (*ignored, *_plain_secrets(layers), *loaded.warnings)
    return replace(loaded, settings=loaded.settings.with_file(file), warnings=told)


def _file_of(env: Mapping[str, str]) -> FilePath | None:
    given = env.get(environment.CONFIG_FILE)
    return FilePath(given) if given else None


def _file_layer(file: FilePath) -> Layer:
    document = parse(read_text(file), str(file))
    data = {} if document.data is None else document.data
    if not isinstance(data, dict):
        raise ConfigError(
            [Problem((), "must be a mapping of settings, such as `clients:`", document.where(()))]
        )
    return Layer("file", absolute_paths(data, file.absolute().parent), document.where)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What validation made of the merged settings: what is wrong, and the settings without it, if any are left."""

    draft: Draft
    settings: Settings | None
    problems: list[Problem]
    ignored: list[Problem]


def _validate(merged: dict[str, Any], layers: Sequence[Layer]) -> _Outcome:
    draft = Draft(merged)
    problems: list[Problem] = []
    ignored: list[Problem] = []
    while True:
        try:
            return _Outcome(draft, Settings(**draft.current()), problems, ignored)
        except ValidationError as error:
            found = [
                replace(problem, path=draft.original(problem.path)) for problem in explain(error, Settings)
            ]
        strays = [problem for problem in found if problem.unknown_key and _from_environment(problem, layers)]
        ignored += [stray.at(where(layers, stray.path)) for stray in strays]
        # once something was taken out, what is then missing is no news
        problems = problems or [problem for problem in found if problem not in strays]
        if not draft.remove([problem.path for problem in found]):
            return _Outcome(draft, None, problems, ignored)


def _from_environment(problem: Problem, layers: Sequence[Layer]) -> bool:
    layer = origin(layers, problem.path)
    return layer is not None and layer.kind == "environment"


def _judge(outcome: _Outcome, env: Mapping[str, str], command: Command) -> tuple[Loaded, list[Problem]]:
    """Judge what validation left: the settings with their secrets and targets, and what else is wrong."""
    if outcome.settings is None:
        return Loaded(command, Settings()), []
    credentials, problems = secrets.resolve(outcome.settings.credentials, env)
    settings = outcome.settings.model_copy(update={"credentials": credentials})
    written = _names_as_written(settings, outcome.draft.data)
    problems = [*checks.problems(settings, written), *problems]
    if (
        not has(outcome.draft.data, ("clients", 0))
        and not outcome.problems
        and command not in _WITHOUT_CLIENTS
    ):
        problems.insert(0, Problem(("clients",), _NO_CLIENTS))
    problems = [replace(problem, path=outcome.draft.original(problem.path)) for problem in problems]
    problems = [
        problem
        for problem in problems
        if not any(inside(known.path, problem.path) for known in outcome.problems)
    ]
    static = static_targets(settings)
    files = TargetFiles(settings.targets.files, written, [target.id for target in static])
    files.refresh(quiet=True)
    unmatched = [f"targets.files: no file matches {pattern}" for pattern in files.unmatched]
    told = (*checks.warnings(settings), *unmatched)
    return Loaded(command, settings, (*static, *files.targets), told), [*problems, *files.problems]


def _names_as_written(settings: Settings, merged: dict[str, Any]) -> Names:
    """Return the names the operator gave, also of what is wrong otherwise: one mistake is told once."""
    usable = names(settings)
    written = lookup(merged, ("credentials",))
    credentials = dict.fromkeys(written) if isinstance(written, dict) else {}
    clients = set(usable.clients)
    for client in merged.get("clients", []) if isinstance(merged.get("clients"), list) else []:
        if isinstance(client, dict):
            clients |= {str(client.get("name") or address(str(client.get("url"))))}
    return Names({**credentials, **usable.credentials}, sorted(clients), usable.sharded)


def _plain_secrets(layers: Sequence[Layer]) -> Iterator[str]:
    """Yield a warning for each secret that stands in the settings file itself."""
    for layer in layers:
        credentials = layer.data.get("credentials") if layer.kind == "file" else None
        for name, credential in (credentials or {}).items():
            parts: list[Path] = [("credentials", name)]
            parts += [
                ("credentials", name, "signers", index) for index in range(len(credential.get("signers", ())))
            ]
            for path in ((*p, key) for p in parts for key in _SECRETS if has(layer.data, (*p, key))):
                key = str(path[-1])
                yield f"{dotted(path)}: is written in the settings file; better use {key}_file or {key}_env"
