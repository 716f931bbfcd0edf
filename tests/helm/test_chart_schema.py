"""values.schema.json offers every setting of the exporter, none that would hold a secret, and refuses mistakes by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from dbc_exporter.config import credentials
from dbc_exporter.config.records import TargetRecord
from dbc_exporter.config.settings import CollectorsSettings, Settings
from dbc_exporter.remediation.policy import Policy
from helm import __main__ as program
from helm.settings_schema import OWNED, OWNED_AT_TOP, definitions
from tests.helm.rendering import ROOT, render

SECRETS = {"seed", "mnemonic", "uri", "session_id", "session_sign", "key"}
NODE = "4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c"
CLIENTS = [{"url": "http://10.0.0.5:5050"}]


def properties(name: str) -> set[str]:
    return set(definitions()[name]["properties"])


def test_the_schema_is_up_to_date() -> None:
    assert program.main(["--check"]) == 0


def test_an_outdated_schema_fails_the_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(program, "SCHEMA", tmp_path / "values.schema.json")
    assert program.main(["--check"]) == 1
    assert program.main([]) == 0
    assert program.main(["--check"]) == 0


def test_every_setting_is_offered_but_those_the_chart_sets_itself() -> None:
    owned = {group for group, _ in OWNED}
    whole = {group for group in owned if group not in properties("Settings")}
    assert properties("Settings") == set(Settings.model_fields) - whole - set(OWNED_AT_TOP)
    assert whole == {"storage", "remediation"}
    for group in owned:
        keys = set(getattr(Settings(), group).__class__.model_fields)
        ours = {key for known, key in OWNED if known == group}
        assert ours <= keys
        if group in whole:
            assert ours == keys  # a new key of a group that is left out whole needs a place in the chart
    assert properties("CollectorsSettings") == set(CollectorsSettings.model_fields)
    assert properties("TargetRecord") == set(TargetRecord.model_fields)
    assert properties("Policy") == set(Policy.model_fields)


@pytest.mark.parametrize(
    "model", [credentials.Keys, credentials.Wallet, credentials.Session, credentials.Manager]
)
def test_no_key_takes_a_secret(model: type[credentials.Secretive]) -> None:
    offered = properties(model.__name__)
    assert offered == set(model.model_fields) - SECRETS
    assert {f"{name}_file" for group in model.groups for name in group} <= offered


def keywords(schema: Any) -> Iterator[str]:
    """Yield what is said of values, anywhere in a schema; names of properties are no keywords."""
    if isinstance(schema, list):
        for item in schema:
            yield from keywords(item)
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        yield key
        named = key in ("properties", "patternProperties", "definitions")
        for inner in value.values() if named else [value]:
            yield from keywords(inner)


def test_only_keywords_are_used_that_helms_validator_obeys() -> None:
    known = {"$ref", "additionalProperties", "allOf", "anyOf", "const", "description", "else", "enum"}
    known |= {"exclusiveMinimum", "if", "items", "maxItems", "maxLength", "maximum", "minItems", "minLength"}
    known |= {"minimum", "pattern", "patternProperties", "properties", "required", "then", "type"}
    assert set(keywords({"definitions": definitions()})) <= known | {"definitions"}


def config(**keys: Any) -> dict[str, Any]:
    return {"config": {"clients": CLIENTS, **keys}}


def wallet(**keys: Any) -> dict[str, Any]:
    return config(credentials={"me": {"type": "wallet", **keys}})


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"replicaCount": 2}, "at '/replicaCount': maximum: got 2, want 1"),
    ({"replicas": 1}, "additional properties 'replicas' not allowed"),
    ({"image": {"pullPolicy": "Sometimes"}}, "at '/image/pullPolicy': value must be one of"),
    ({"image": {"digest": "sha256:12"}}, "at '/image/digest'"),
    (wallet(seed="0x" + "5e" * 32), "at '/config/credentials/me': additional properties 'seed' not allowed"),
    (wallet(mnemonic="one two"), "additional properties 'mnemonic' not allowed"),
    (wallet(uri="//Alice"), "additional properties 'uri' not allowed"),
    (
        config(credentials={"me": {"type": "session", "session_id": "a", "session_sign": "b"}}),
        "at '/config/credentials/me': additional properties 'session_",  # Helm names the two in any order
    ),
    (
        config(credentials={"me": {"type": "manager", "key": "5e" * 32}}),
        "additional properties 'key' not allowed",
    ),
    (
        config(
            credentials={
                "us": {
                    "type": "multisig",
                    "wallets": ["5G"],
                    "threshold": 1,
                    "signers": [{"seed": "5e" * 32}],
                }
            }
        ),
        "at '/config/credentials/us/signers/0': additional properties 'seed' not allowed",
    ),
    (
        config(credentials={"me": {"type": "ledger"}}),
        "at '/config/credentials/me/type': value must be one of",
    ),
    (config(credentials={"me": {}}), "at '/config/credentials/me': missing property 'type'"),
    (config(client="http://a:5050"), "at '/config': additional properties 'client' not allowed"),
    ({"config": {"clients": [{"url": "http://user:pw@a:5050"}]}}, "at '/config/clients/0/url'"),
    ({"config": {"clients": [{"url": "http://a:5050/api/v1"}]}}, "at '/config/clients/0/url'"),
    ({"config": {"clients": [{"url": "http://a:5050", "max_in_flight": 600}]}}, "maximum: got 600, want 512"),
    (config(targets={"static": [{"id": "0x12"}]}), "at '/config/targets/static/0/id'"),
    (
        config(targets={"static": [{"id": NODE, "rent_order": 101}]}),
        "at '/config/targets/static/0/rent_order': got number, want null or string",
    ),
    (
        config(targets={"static": [{"id": NODE, "labels": {"__x": "1"}}]}),
        "at '/config/targets/static/0/labels': additional properties '__x' not allowed",
    ),
    (
        config(targets={"static": [{"id": NODE, "desired_state": True}]}),  # written `on`, without quotes
        "at '/config/targets/static/0/desired_state': got boolean, want string",
    ),
    (config(collectors={"nodes": {"enabled": False}}), "at '/config/collectors'"),
    (
        config(collectors={"node": {"interval_seconds": "soon"}}),
        "at '/config/collectors/node/interval_seconds'",
    ),
    (config(collectors={"node": {"interval_seconds": 0}}), "at '/config/collectors/node/interval_seconds'"),
    (config(web={"listen_address": ":9999"}), "additional properties 'listen_address' not allowed"),
    (config(web={"config_file": "web.yml"}), "additional properties 'config_file' not allowed"),
    (config(total_shards=2), "at '/config': additional properties 'total_shards' not allowed"),
    ({"shards": 0}, "at '/shards': minimum: got 0, want 1"),
    (config(storage={"path": "/data"}), "at '/config': additional properties 'storage' not allowed"),
    (
        config(remediation={"policy_file": "p"}),
        "at '/config': additional properties 'remediation' not allowed",
    ),
    (
        {"targetFiles": {"../pool.yml": []}},
        "at '/targetFiles': additional properties '../pool.yml' not allowed",
    ),
    (
        {"targetFiles": {"pool.yml": [{"targets": [NODE], "id": NODE}]}},
        "additional properties 'id' not allowed",
    ),
    ({"remediation": {"policy": {"mode": "act"}}}, "at '/remediation/policy': missing property 'version'"),
    ({"remediation": {"policy": {"version": 1, "mode": "yes"}}}, "at '/remediation/policy/mode'"),
    ({"persistence": {"size": "much"}}, "at '/persistence/size'"),
    ({"persistence": {"accessModes": ["ReadOnlyMany"]}}, "at '/persistence/accessModes/0'"),
    ({"containerPort": 80}, "at '/containerPort': minimum: got 80, want 1,024"),
    ({"terminationGracePeriodSeconds": 30}, "minimum: got 30, want 45"),
    ({"extraEnv": [{"name": "A", "value": "1", "valueFrom": {"x": "y"}}]}, "at '/extraEnv/0'"),
    ({"probes": {"liveness": {"httpGet": {}}}}, "additional properties 'httpGet' not allowed"),
    ({"service": {"type": "ExternalName"}}, "at '/service/type'"),
    ({"serviceMonitor": {"basicAuth": {"password": "secret"}}}, "at '/serviceMonitor/basicAuth/password'"),
    ({"serviceMonitor": {"interval": "often"}}, "at '/serviceMonitor/interval'"),
    ({"serviceMonitor": {"enabled": "yes"}}, "at '/serviceMonitor/enabled': got string, want boolean"),
]


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_a_bad_value_is_refused_by_its_place(values: dict[str, Any], message: str) -> None:
    with pytest.raises(helm_python.HelmValuesError, match=re.escape(message)):
        render(values)


def settings_of(name: str) -> dict[str, Any]:
    path = ROOT / "docs" / "examples" / name
    text = path.read_text().replace("desired_state: on", 'desired_state: "on"')  # Helm reads YAML 1.1
    settings = helm_python.values_from_yaml(text)
    for group, key in OWNED:
        settings.get(group, {}).pop(key, None)
    return {key: value for key, value in settings.items() if value}


@pytest.mark.parametrize("name", ["minimal.yml", "pool-owner.yml", "renter.yml"])
def test_the_documented_examples_of_settings_are_taken(name: str) -> None:
    given = settings_of(name)
    rendered = render({"config": given}).settings
    assert {key: value for key, value in rendered.items() if key != "web"} == given


def test_the_documented_target_file_is_taken() -> None:
    given = yaml.safe_load((ROOT / "docs" / "examples" / "targets.yml").read_text())
    targets = render({"targetFiles": {"pool.yml": given}}).one("ConfigMap", "dbc-exporter-targets")
    assert yaml.safe_load(targets["data"]["pool.yml"]) == given


def test_the_documented_policy_is_taken() -> None:
    given = yaml.safe_load((ROOT / "examples" / "remediation" / "policy.yml").read_text())
    rendered = render({"remediation": {"policy": given}, "persistence": {"enabled": True}})
    assert yaml.safe_load(rendered.one("ConfigMap")["data"]["policy.yml"]) == given


@pytest.mark.parametrize("given", [90, 90.5, "90", "90s", "1h30m", "1.5m", "250ms"])
def test_durations_are_taken_in_every_form(given: float | str) -> None:
    rendered = render(config(freshness={"tombstone_seconds": given}))
    assert rendered.settings["freshness"]["tombstone_seconds"] == given
    assert (
        Settings.model_validate({"freshness": rendered.settings["freshness"]}).freshness.tombstone_seconds > 0
    )
