"""A policy file, read and checked by itself; contradictions are `lint`'s matter."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from dbc_exporter.config import documents
from dbc_exporter.config.documents import Document
from dbc_exporter.config.problems import ConfigError, Problem, explain
from dbc_exporter.config.problems import Path as KeyPath
from dbc_exporter.remediation.policy import Policy

MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy and the text it was written as. `hash` (BLAKE2b, 128 bits in hex) names exactly this text."""

    policy: Policy
    hash: str
    text: str
    source: Document = field(default_factory=lambda: Document("policy", None), repr=False, compare=False)

    def where(self, path: KeyPath) -> str:
        """Say in which line a place in the policy, or the nearest thing around it, was written."""
        return self.source.where(path)


def load(path: Path) -> LoadedPolicy:
    """Read a policy file (YAML, or JSON when it ends in .json). Raises `ConfigError` naming lines and remedies."""
    return parse(documents.read_text(path, MAX_BYTES), str(path))


def parse(text: str, name: str) -> LoadedPolicy:
    """Read a policy from text. Raises `ConfigError`."""
    document = documents.parse(text, name)
    if not isinstance(document.data, dict):
        raise ConfigError([Problem((), "is no policy; it begins with `version: 1`", name)])
    try:
        policy = Policy.model_validate(document.data)
    except ValidationError as error:
        found = explain(error, Policy)
        raise ConfigError([problem.at(document.where(problem.path)) for problem in found]) from None
    return LoadedPolicy(policy, hashlib.blake2b(text.encode(), digest_size=16).hexdigest(), text, document)
