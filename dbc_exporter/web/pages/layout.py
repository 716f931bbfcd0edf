"""The frame around every page, and the headers that let it run its own style and script and nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from dbc_exporter.web.pages.html import Html, raw, tag
from dbc_exporter.web.pages.script import SCRIPT
from dbc_exporter.web.pages.style import CSS


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_source(CSS)}",
        f"script-src {_source(SCRIPT)}",
        "connect-src 'self'",
        "img-src data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Vary": "Accept",
}
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%231f5fbf'/%3E"
    "%3Cpath d='M2 9h3l2-5 2 8 2-3h3' fill='none' stroke='white' stroke-width='1.6'/%3E%3C/svg%3E"
)


def document(
    heading: str,
    *content: str,
    root: str,
    telemetry_path: str,
    current: str = "",
    scripted: bool = False,
    remediation: bool = False,
) -> bytes:
    """Return a whole page, encoded.

    `root` is the way from this page's folder to the server's root (`.` or `..`), so that the pages also work under a
    path of a reverse proxy. `current` names the navigation entry of this page. `remediation` tells that it has one.
    """
    links = (
        ("Overview", f"{root}/"),
        ("Targets", f"{root}/targets"),
        *((("Remediation", f"{root}/remediation"),) if remediation else ()),
        ("Metrics", f"{root}{telemetry_path}"),
        ("Health", f"{root}/-/healthy"),
        ("Readiness", f"{root}/-/ready"),
    )
    navigation = (
        tag("a", name, href=address, aria_current="page" if name == current else None)
        for name, address in links
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{heading} - dbc-exporter"),
        tag("link", rel="icon", href=_ICON),
        tag("style", raw(CSS)),
    )
    body = tag(
        "body",
        tag(
            "header",
            tag("div", tag("strong", tag("a", "dbc-exporter", href=f"{root}/")), tag("nav", *navigation)),
        ),
        tag("main", tag("h1", heading), *content),
        tag("script", raw(SCRIPT)) if scripted else Html(""),
    )
    page = "<!doctype html>\n" + tag("html", head, body, lang="en")
    # A name may hold a lone surrogate, which UTF-8 cannot write; the page must not fail for it.
    return page.encode("utf-8", "replace")
