"""Our rules for a Dockerfile: what makes its image trustworthy, and buildable by buildah as well as by Docker."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_DIGEST = re.compile(r".+:[^@/]+@sha256:[0-9a-f]{64}")
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_UNPRIVILEGED = re.compile(r"[1-9]\d*:[1-9]\d*")
_SCHEMA = "org.opencontainers.image."
LABELS = tuple(_SCHEMA + name for name in ("title", "description", "licenses", "version", "revision"))


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continued lines joined."""

    name: str
    text: str


def instructions(text: str) -> list[Instruction]:
    """Parse a Dockerfile."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    parts = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [Instruction(name.upper(), rest[0].strip() if rest else "") for name, *rest in parts]


def problems(text: str) -> list[str]:
    """Return what is wrong with a Dockerfile."""
    parsed = instructions(text)
    starts = [place for place, one in enumerate(parsed) if one.name == "FROM"]
    final = parsed[starts[-1] :]
    return [
        *_bases(parsed, len(starts)),
        *_syntax(parsed),
        *_requirements(parsed),
        *_user(final),
        *_commands(final),
        *_labels(final),
    ]


def _bases(parsed: list[Instruction], stages: int) -> Iterator[str]:
    arguments = dict(one.text.split("=", 1) for one in parsed if one.name == "ARG" and "=" in one.text)
    names: set[str] = set()
    for one in parsed:
        if one.name != "FROM":
            continue
        words = one.text.split()
        base = _REFERENCE.sub(lambda found: arguments.get(found[1], ""), words[0])
        if base not in names and not _DIGEST.fullmatch(base):
            yield f"FROM {words[0]}: not pinned by tag and digest"
        if len(words) == 3:  # FROM … AS name
            names.add(words[2])
    if stages < 2:
        yield "one stage: what builds would be shipped"


def _syntax(parsed: list[Instruction]) -> Iterator[str]:
    for one in parsed:
        if one.name in {"RUN", "COPY", "ADD"} and "<<" in one.text:
            yield f"{one.name}: a heredoc"
        if one.name in {"COPY", "ADD"} and "--link" in one.text.split():
            yield f"{one.name} --link"
        if one.name == "ADD":
            yield "ADD: COPY fetches and unpacks nothing"


def _requirements(parsed: list[Instruction]) -> Iterator[str]:
    for one in parsed:
        for command in re.split(r"&&|;", one.text) if one.name == "RUN" else ():
            fetches = re.search(r"pip\S* (.*)?(install|download|wheel)\b", command)
            if fetches and "--require-hashes" not in command and "--no-index" not in command:
                yield f"RUN{command.rstrip()}: fetches without hashes"


def _user(final: list[Instruction]) -> Iterator[str]:
    users = [one.text for one in final if one.name == "USER"]
    if not users or not _UNPRIVILEGED.fullmatch(users[-1]):
        yield "USER: must be a number above 0, and its group's: Kubernetes' runAsNonRoot reads no names"


def _commands(final: list[Instruction]) -> Iterator[str]:
    found = {one.name: one.text for one in final}
    check = found.get("HEALTHCHECK", "")
    if not _exec_form(check.partition("CMD")[2]):
        yield "HEALTHCHECK: must be in exec form"
    if not _exec_form(found.get("ENTRYPOINT", "")):
        yield "ENTRYPOINT: must be in exec form"
    if found.get("STOPSIGNAL") != "SIGTERM":
        yield "STOPSIGNAL: must be SIGTERM"


def _exec_form(text: str) -> bool:
    """Tell whether it is a JSON list whose program needs no shell and no PATH."""
    try:
        words = json.loads(text)
    except ValueError:
        return False
    return isinstance(words, list) and str(words[0]).startswith("/") and words[0] != "/bin/sh"


def _labels(final: list[Instruction]) -> Iterator[str]:
    given = {name for one in final if one.name == "LABEL" for name in re.findall(r"([\w.]+)=", one.text)}
    yield from (f"LABEL {name}: absent" for name in LABELS if name not in given)
