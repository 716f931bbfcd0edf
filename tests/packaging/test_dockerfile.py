"""The Dockerfile keeps our rules, and the rules notice what breaks them."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest

from tests.packaging.dockerfile import instructions, problems

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_our_dockerfile_has_no_problem() -> None:
    assert problems(DOCKERFILE) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("@sha256:", "@sha512:", "not pinned"),
        (":3.13.15-slim-trixie", "", "not pinned"),
        ("USER 65532:65532", "USER nobody", "USER"),
        ("USER 65532:65532", "USER 0:0", "USER"),
        ("USER 65532:65532\n", "", "USER"),
        (
            'CMD ["/opt/dbc-exporter/bin/dbc-exporter", "healthcheck"]',
            "CMD dbc-exporter healthcheck",
            "HEALTHCHECK",
        ),
        ('ENTRYPOINT ["/opt/dbc-exporter/bin/dbc-exporter"]', "ENTRYPOINT dbc-exporter", "ENTRYPOINT"),
        ('ENTRYPOINT ["/opt', 'ENTRYPOINT ["/bin/sh", "-c", "/opt', "ENTRYPOINT"),
        ("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGINT", "STOPSIGNAL"),
        ("STOPSIGNAL SIGTERM\n", "", "STOPSIGNAL"),
        ("COPY --from=build", "COPY --link --from=build", "--link"),
        ("COPY LICENSE", "ADD LICENSE", "ADD"),
        ("RUN install -d", "RUN <<EOF\ninstall -d", "heredoc"),
        ("download --no-cache-dir --require-hashes", "download --no-cache-dir", "hashes"),
        ("--python /opt/dbc-exporter/bin/python install --no-index", "install", "hashes"),
        ("org.opencontainers.image.licenses=", "licence=", "licenses: absent"),
    ],
)
def test_a_broken_rule_is_named(old: str, new: str, said: str) -> None:
    assert old in DOCKERFILE
    found = problems(DOCKERFILE.replace(old, new))
    assert any(said in problem for problem in found), found


def test_a_single_stage_is_named() -> None:
    _build, _from, final = DOCKERFILE.rpartition("FROM ${PYTHON_IMAGE}")
    arguments = DOCKERFILE.partition("FROM ")[0]
    assert any("one stage" in problem for problem in problems(f"{arguments}FROM ${{PYTHON_IMAGE}}{final}"))


def test_the_build_context_holds_what_is_copied_and_nothing_else() -> None:
    """`.dockerignore` lets through exactly the sources of COPY, so secrets beside them cannot slip in."""
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    copied = {
        word
        for one in instructions(DOCKERFILE)
        if one.name == "COPY" and "--from" not in one.text
        for word in one.text.split()[:-1]
    }
    assert copied == allowed
    assert "*" in ignore
    assert any(fnmatch.fnmatch("dbc_exporter/__pycache__", line) for line in ignore[2:])
    for name in allowed:
        assert (ROOT / name).exists(), name
