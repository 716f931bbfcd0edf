"""What is wrong with settings or target files, told so that the operator knows where and what to do.

Texts never repeat what was put into a secret's place; see `quotable`.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]

_SECRET_LOOK = re.compile(r"[0-9a-fA-F]{40,}|[1-9A-HJ-NP-Za-km-z]{45,}|@|//\w|\s\S+\s")
_QUOTED = 60
_MAPPING = "must be a group of keys (JSON in the environment)"
_LIST = "must be a list (JSON in the environment)"
_WHOLE = "must be a whole number"
_NUMBER = "must be a number"
_SWITCH = "must be true or false"
_TEXTS = {
    "missing": "is missing; add it",
    "bool_parsing": _SWITCH,
    "bool_type": _SWITCH,
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "path_type": "must be the path of a file",
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long; shorten it",
    "string_pattern_mismatch": "must start with a letter or digit and hold only letters, digits and . _ : [ ] -",
    "union_tag_not_found": "needs a type; add `type:` wallet, multisig, session or manager",
    "union_tag_invalid": "has a type that does not exist; write wallet, multisig, session or manager",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
}
_SHOW_INPUT = ("pars", "_type", "enum", "literal", "greater", "less", "finite", "pattern", "from_float")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the key's path, what it must be, and where it was written.

    `unknown_key` marks keys that are no settings: a warning when the environment has them, else an error.
    """

    path: Path
    text: str
    where: str = ""
    unknown_key: bool = False

    def __str__(self) -> str:
        head = f"{dotted(self.path)}: " if self.path else ""
        return f"{head}{self.text} ({self.where})" if self.where else f"{head}{self.text}"

    def at(self, where: str) -> Problem:
        """Return the same problem with the place it was written."""
        return replace(self, where=where)


class ConfigError(ValueError):
    """Settings or target files that cannot be used. `problems` holds all of them, in the order of the tree."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


def dotted(path: Sequence[str | int]) -> str:
    """Write a path as operators know it: `clients[0].url`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def quotable(value: Any) -> str:
    """Quote a value for a message, or say nothing of it when it could be a secret."""
    text = str(value)
    if not isinstance(value, str | int | float) or _SECRET_LOOK.search(text):
        return "the given value"
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…")


def explain(error: ValidationError, root: type[BaseModel]) -> list[Problem]:
    """Turn pydantic's complaints about `root` into problems, leaving out those that only repeat a deeper one."""
    found = [_problem(details, root) for details in error.errors(include_url=False)]
    return [
        problem
        for kind, problem in found
        if kind != "too_short" or not any(inside(other.path, problem.path) for _, other in found)
    ]


def inside(path: Path, ancestor: Path) -> bool:
    """Whether a path lies below another."""
    return len(path) > len(ancestor) and path[: len(ancestor)] == ancestor


def _problem(details: ErrorDetails, root: type[BaseModel]) -> tuple[str, Problem]:
    kind = details["type"]
    path, owners = _locate(root, details["loc"])
    if kind == "extra_forbidden":
        text = _unknown_key(str(path[-1]), owners)
    elif kind in _TEXTS:
        text = _TEXTS[kind].format_map(details.get("ctx", {}))
    elif kind == "dbc":
        text = details["msg"]
    else:
        # pydantic's own words may repeat the value
        text = f"does not fit ({kind.replace('_', ' ')})"
    given = details.get("input")
    if (
        path[:1] != ("credentials",)
        and isinstance(given, str | int | float)
        and any(k in kind for k in _SHOW_INPUT)
    ):
        text += f", not {quotable(given)}"
    return kind, Problem(path, text, unknown_key=kind == "extra_forbidden")


def _unknown_key(key: str, owners: Sequence[Any]) -> str:
    known = sorted({name for owner in owners if is_model(owner) for name in _keys(owner)})
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"is no known key; did you mean {close[0]}?"
    return f"is no known key; remove it (known here: {', '.join(known)})"


def _locate(root: type[BaseModel], loc: Sequence[str | int]) -> tuple[Path, list[Any]]:
    """Return the operator's path of a pydantic location, and the types that own its last part.

    Pydantic's own parts are left out: `[key]`, and the tag of a union's member.
    """
    options: list[Any] = [root]
    owners: list[Any] = options
    path: list[str | int] = []
    for part in loc:
        if part == "[key]":
            continue
        tagged = [option for option in options if len(options) > 1 and part in _tags(option)]
        if tagged:
            options = tagged
            continue
        path.append(part)
        owners, options = options, [child for option in options for child in _children(option, part)]
    return tuple(path), owners


def is_model(option: Any) -> bool:
    """Whether a type is a group of keys."""
    return isinstance(option, type) and issubclass(option, BaseModel)


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _tags(option: Any) -> tuple[Any, ...]:
    field = option.model_fields.get("type") if is_model(option) else None
    return get_args(field.annotation) if field else ()


def _children(option: Any, part: str | int) -> list[Any]:
    if is_model(option):
        return alternatives(_keys(option).get(str(part)))
    arguments = get_args(option)
    if get_origin(option) is dict:
        return alternatives(arguments[1])
    return alternatives(arguments[0]) if get_origin(option) is tuple else []


def alternatives(annotation: Any) -> list[Any]:
    """Return the plain types an annotation allows, out of unions and `Annotated`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return alternatives(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [found for member in get_args(annotation) for found in alternatives(member)]
    return [annotation]
