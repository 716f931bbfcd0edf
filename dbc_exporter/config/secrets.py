"""Secrets from files and environment variables into the settings, without ever showing one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import TypeVar

from pydantic import SecretStr

from dbc_exporter.config.credentials import Credential, Multisig, Secretive
from dbc_exporter.config.documents import read_text
from dbc_exporter.config.problems import ConfigError, Path, Problem, quotable

_MAX_BYTES = 64 * 1024
_HEX_32 = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_HEX_64 = re.compile(r"(0x)?[0-9a-fA-F]{128}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = (12, 15, 18, 21, 24)
_SHORTEST_TOKEN = 16

_SHAPES: dict[str, tuple[Callable[[str], bool], str]] = {
    "seed": (
        lambda text: bool(_HEX_32.fullmatch(text)),
        "must be 32 bytes in hex (64 characters, 0x allowed)",
    ),
    "mnemonic": (lambda text: len(text.split()) in _WORDS, "must be 12, 15, 18, 21 or 24 words"),
    "uri": (lambda text: "\n" not in text, "must be a single line"),
    "key": (
        lambda text: bool(_HEX_32.fullmatch(text)),
        "must be 32 bytes in hex (64 characters, 0x allowed)",
    ),
    "session_id": (
        lambda text: len(text.split()) == 1,
        "must be one word, as /mining_nodes/session_id gave it",
    ),
    "session_sign": (
        lambda text: bool(_HEX_64.fullmatch(text)),
        "must be 64 bytes in hex (128 characters, 0x allowed)",
    ),
    "webhook_token": (
        lambda text: len(text.split()) == 1 and len(text) >= _SHORTEST_TOKEN,
        f"must be one word of at least {_SHORTEST_TOKEN} characters, such as `openssl rand -hex 32` gives",
    ),
}

S = TypeVar("S", bound=Secretive)


def resolve(
    credentials: Mapping[str, Credential], env: Mapping[str, str]
) -> tuple[dict[str, Credential], list[Problem]]:
    """Return the credentials with every secret read into its own key, and what went wrong on the way."""
    problems: list[Problem] = []
    resolved: dict[str, Credential] = {}
    for name, credential in credentials.items():
        path: Path = ("credentials", name)
        if isinstance(credential, Multisig):
            signers = tuple(
                _fill(signer, (*path, "signers", index), env, problems)
                for index, signer in enumerate(credential.signers)
            )
            resolved[name] = credential.model_copy(update={"signers": signers})
        else:
            resolved[name] = _fill(credential, path, env, problems)
    return resolved, problems


def values(credentials: Mapping[str, Credential]) -> Iterator[str]:
    """Yield every secret value of resolved credentials, for the log's filter."""
    for credential in credentials.values():
        for section in credential.signers if isinstance(credential, Multisig) else (credential,):
            for name in (name for group in section.groups for name in group):
                secret: SecretStr | None = getattr(section, name)
                if secret is not None:
                    yield secret.get_secret_value()


def webhook_token(file: FilePath) -> SecretStr:
    """Return the bearer token of Alertmanager's webhook. Raises ConfigError, which never shows it."""
    return SecretStr(_checked("webhook_token", _read(file, {}, way="_file")))


def _fill(section: S, path: Path, env: Mapping[str, str], problems: list[Problem]) -> S:
    found: dict[str, SecretStr] = {}
    for group in section.groups:
        keys = [name + way for name in group for way in ("", "_file", "_env")]
        given = [key for key in keys if getattr(section, key) is not None]
        if len(given) != 1:
            have = f"has {' and '.join(given)}" if given else "has none"
            problems.append(Problem(path, f"needs exactly one of {', '.join(keys)}, but {have}"))
            continue
        key = given[0]
        name = key.removesuffix("_file").removesuffix("_env")
        try:
            found[name] = SecretStr(_checked(name, _read(getattr(section, key), env, way=key[len(name) :])))
        except ConfigError as error:
            problems.extend(Problem((*path, key), problem.text) for problem in error.problems)
    return section.model_copy(update=found)


def _read(source: SecretStr | FilePath | str, env: Mapping[str, str], way: str) -> str:
    if isinstance(source, SecretStr):
        return source.get_secret_value()
    if way == "_file":
        try:
            return read_text(FilePath(source), _MAX_BYTES)
        except ConfigError as error:
            raise ConfigError(
                [Problem((), f"file {quotable(str(source))} {error.problems[0].text}")]
            ) from None
    name = str(source)
    if not _VARIABLE.fullmatch(name):
        raise ConfigError([Problem((), "must be the name of an environment variable, not a value")])
    if name not in env:
        raise ConfigError(
            [Problem((), f"environment variable {quotable(name)} is not set; set it or name another")]
        )
    return env[name]


def _checked(name: str, text: str) -> str:
    text = text.strip()
    if not text:
        raise ConfigError([Problem((), "is empty; put the secret there")])
    fits, requirement = _SHAPES[name]
    if not fits(text):
        raise ConfigError([Problem((), f"{requirement}; what is there is not (and is not shown)")])
    return text
