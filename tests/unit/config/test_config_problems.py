"""Every way to be wrong ends in one clear line, all lines at once, and never in a traceback or a shown secret."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbc_exporter.config.load import read
from dbc_exporter.config.problems import ConfigError, quotable
from dbc_exporter.config.settings import CollectorsSettings, Settings

ID = "ab" * 32
GOOD = "clients: [{url: 'http://a:1'}]\n"
SECRET = "0x" + "5e" * 32


def problems_of(tmp_path: Path, text: str, argv: tuple[str, ...] = ()) -> list[str]:
    file = tmp_path / "dbc.yml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read(["--config.file", str(file), *argv], {})
    return [str(problem).replace(f"{tmp_path}/", "") for problem in refused.value.problems]


CASES = {
    "unknown section": ("webb: {}", "webb: is no known key; did you mean web? (dbc.yml, line 2)"),
    "unknown key": (
        "log: {colour: red}",
        "log.colour: is no known key; remove it (known here: format, level) (dbc.yml, line 2)",
    ),
    "nested unknown key": (
        "collectors:\n  node:\n    intervall_seconds: 5m",
        "collectors.node.intervall_seconds: is no known key; did you mean interval_seconds? (dbc.yml, line 4)",
    ),
    "number": (
        "clients: [{url: 'http://a', max_in_flight: many}]",
        "clients[0].max_in_flight: must be a whole number, not 'many' (dbc.yml, line 1)",
    ),
    "bound": (
        "clients: [{url: 'http://a', unanswered_ceiling: 1024}]",
        "clients[0].unanswered_ceiling: must be at most 1000, not '1024' (dbc.yml, line 1)",
    ),
    "switch": (
        "targets: {discover: {enabled: perhaps}}",
        "targets.discover.enabled: must be true or false, not 'perhaps' (dbc.yml, line 2)",
    ),
    "choice": (
        "log: {format: xml}",
        "log.format: must be 'logfmt' or 'json', not 'xml' (dbc.yml, line 2)",
    ),
    "group": ("web: 5", "web: must be a group of keys (JSON in the environment), not '5' (dbc.yml, line 2)"),
    "list": ("targets: {files: a.yml}", "targets.files: must be a list (JSON in the environment), not "),
    "missing": ("clients: [{name: a}]", "clients[0].url: is missing; add it (dbc.yml, line 1)"),
    "label": (
        f"targets: {{static: [{{id: {ID}, labels: {{__address__: x}}}}]}}",
        "targets.static[0].labels.__address__: starts with __, which Prometheus keeps for itself; choose another label name",
    ),
    "unknown credential": (
        f"targets: {{static: [{{id: {ID}, credential: mee}}]}}\ncredentials: {{me: {{type: wallet, seed: {SECRET}}}}}",
        "targets.static[0].credential: names no credential; did you mean me? (dbc.yml, line 2)",
    ),
    "unknown client": (
        f"targets: {{static: [{{id: {ID}, clients: [b]}}]}}",
        "targets.static[0].clients[0]: names no DBC client; known are a:1 (dbc.yml, line 2)",
    ),
    "credential that does not fit": (
        f"targets: {{discover: {{credential: m}}}}\ncredentials: {{m: {{type: manager, key: {SECRET}}}}}",
        "targets.discover.credential: is of type manager, which a compute target cannot use; name one of type wallet",
    ),
    "target twice": (
        f"targets:\n  static:\n    - id: {ID}\n    - id: {ID}",
        "targets.static[1].id: is that of an earlier target too; keep one of the two (dbc.yml, line 5)",
    ),
    "interval under the floor": (
        "collectors: {vms: {interval_seconds: 10s}}",
        "collectors.vms.interval_seconds: is 10s, but must be at least 60s: each authenticated call",
    ),
    "key twice": (
        "log: {level: info}\nlog: {level: debug}",
        "log: is given twice; keep one of the two (dbc.yml, line 3)",
    ),
    "tag": ("log: {level: !secret x}", "log.level: carries a YAML tag, which is not supported"),
    "alias of itself": (
        "targets: &t {static: *t}",
        "targets.static: is a YAML alias of something that contains it",
    ),
    "no YAML": ("log: [", "is no valid YAML: "),
    "control character": ("log: \x01", "is no valid YAML: "),
    "no mapping": ("- a", "is no valid YAML: "),
    "web config": (
        "web: {config_file: nowhere.yml}",
        "cannot be read: No such file or directory (nowhere.yml)",
    ),
    "certificate": (
        "clients: [{url: 'https://a', ca_file: dbc.yml}]",
        "clients[0].ca_file: file 'dbc.yml' holds no PEM certificates; name the CA's certificate file (dbc.yml, line 1)",
    ),
    "certificate that is absent": (
        "clients: [{url: 'https://a', ca_file: ca.pem}]",
        "clients[0].ca_file: file 'ca.pem' cannot be read: No such file or directory; check path and permissions",
    ),
    "certificate without TLS": (
        "clients: [{url: 'http://a', ca_file: dbc.yml}]",
        "clients[0].ca_file: is given, but the url is http; write https or remove the file (dbc.yml, line 1)",
    ),
    "more per kind than at all": (
        "clients: [{url: 'http://a', max_in_flight: 8}]",
        "clients[0].max_in_flight_per_kind: is more than max_in_flight (8); lower it (dbc.yml, line 1)",
    ),
    "client twice": (
        "clients: [{url: 'http://a'}, {url: 'http://a/', name: b}]",
        "clients[1].url: is that of another client too; remove one of the two (dbc.yml, line 1)",
    ),
    "client name twice": (
        "clients: [{url: 'http://a', name: n}, {url: 'http://b', name: n}]",
        "clients[1].name: is that of another client too; give each its own name (dbc.yml, line 1)",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_problem_names_key_place_and_remedy(name: str, tmp_path: Path) -> None:
    text, expected = CASES[name]
    found = problems_of(tmp_path, text if text.startswith("clients") else GOOD + text)
    assert len(found) == 1, found
    assert found[0].startswith(expected)


def test_a_list_instead_of_settings_is_told(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "- a\n") == [
        "must be a mapping of settings, such as `clients:` (dbc.yml, line 1)"
    ]


def test_an_absent_settings_file_is_told() -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: No such file or directory.*\(/nowhere\.yml\)"):
        read(["--config.file", "/nowhere.yml"], {})


def test_a_settings_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        read(["--config.file", str(tmp_path / "x.yml")], {})


def test_all_problems_come_at_once_with_their_own_places(tmp_path: Path) -> None:
    """Also those found by looking across sections, and those behind an entry that is wrong itself."""
    found = problems_of(
        tmp_path,
        f"""clients:
  - url: nonsense
  - url: http://b
    max_in_flight: 2
targets:
  static:
    - id: ABC
    - id: {ID}
      credential: nobody
  files: [t.yml]
collectors:
  node: {{interval_seconds: 1s}}
loging: {{}}
credentials:
  a: {{type: wallet, seed_file: nowhere}}
""",
        ("--log.level", "loud"),
    )
    heads = [line.split(": ")[0] for line in found]
    assert heads == [
        "clients[0].url",
        "targets.static[0].id",
        "log.level",
        "loging",
        "clients[1].max_in_flight_per_kind",
        "targets.static[1].credential",
        "collectors.node.interval_seconds",
        "credentials.a.seed_file",
    ]
    assert found[2].endswith("(flag --log.level)")
    assert found[5].endswith("(dbc.yml, line 9)")


def test_what_follows_from_one_mistake_is_not_told_as_another(tmp_path: Path) -> None:
    text = (
        GOOD
        + f"credentials: {{me: {{type: wallet, sed: x}}}}\ntargets: {{static: [{{id: {ID}, credential: me}}]}}"
    )
    assert problems_of(tmp_path, text) == [
        "credentials.me.sed: is no known key; did you mean seed? (dbc.yml, line 2)"
    ]


@pytest.mark.parametrize("value", ["on", "yes", "true", "True"])
def test_yaml_words_mean_what_the_setting_needs(value: str, tmp_path: Path) -> None:
    """YAML 1.1 would turn `on` into true, `012` into 10 and `1:30` into 90."""
    (tmp_path / "dbc.yml").write_text(
        GOOD + f"collectors: {{lan: {{enabled: {value}}}}}\n"
        f"targets: {{static: [{{id: {ID}, kind: bare_metal_server, desired_state: on, labels: {{a: 012, b: 1:30, c: no}}}}]}}\n"
    )
    loaded = read(["--config.file", str(tmp_path / "dbc.yml")], {})
    assert loaded.settings.collectors.lan.enabled
    assert loaded.targets[0].desired_state == "on"
    assert loaded.targets[0].labels == (("a", "012"), ("b", "1:30"), ("c", "no"))


@pytest.mark.parametrize("value", [SECRET, "ab" * 64, "word " * 12, "http://u:p@h", "//Alice"])
def test_what_could_be_a_secret_is_never_quoted(value: str) -> None:
    assert quotable(value) == "the given value"


def test_quotes_are_short() -> None:
    assert quotable("x" * 30) == repr("x" * 30)
    assert len(quotable("x-" * 500)) < 70


_KEYS = sorted(
    {
        *Settings.model_fields,
        *CollectorsSettings.model_fields,
        "id",
        "url",
        "static",
        "files",
        "discover",
        "type",
    }
    | {"enabled", "interval_seconds", "seed", "seed_file", "signers", "labels", "credential", "name", "kind"}
)
_SCALARS = st.sampled_from(
    [SECRET, "", "x", "5", "-1", "true", "http://a", "wallet", "multisig", ID, "null", "[", None]
)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(Settings.model_fields)), _TREES, max_size=4))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_file_holds_there_are_settings_or_problems(
    tmp_path: Path, tree: dict[str, object]
) -> None:
    file = tmp_path / "dbc.yml"
    file.write_text(yaml.safe_dump(tree))
    try:
        loaded = read(["--config.file", str(file)], {})
    except ConfigError as refused:
        said = str(refused)
    else:
        said = f"{loaded}{loaded.warnings}"
    assert said
    assert SECRET not in said.replace(f"{tmp_path}/{SECRET}", "")
