"""HTML that is escaped by construction: text becomes markup only through `tag`."""

from __future__ import annotations

import html
from collections.abc import Iterable

_VOID = frozenset({"input", "link", "meta"})


class Html(str):
    """Markup. Plain `str` is text, and is escaped wherever it meets markup."""

    __slots__ = ()


def raw(markup: str) -> Html:
    """Declare constant text of our own to be markup; never for anything that came from outside."""
    return Html(markup)


def join(parts: Iterable[str], between: str = "") -> Html:
    """Join texts and markup into markup."""
    return Html(_markup(between).join(_markup(part) for part in parts))


def tag(name: str, /, *children: str, **attributes: str | bool | None) -> Html:
    """Build an element. `cls` stands for `class`, an underscore for a hyphen; `None` and `False` leave one out."""
    opening = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{opening}>")
    return Html(f"<{name}{opening}>{''.join(_markup(child) for child in children)}</{name}>")


def _attribute(key: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = "class" if key == "cls" else key.replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(value)}"'


def _markup(part: str) -> str:
    return part if isinstance(part, Html) else html.escape(part)
