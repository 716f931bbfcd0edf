"""JSON schemas of the settings, target files and the policy, as a chart may have them: nothing that would hold a secret.

They are stricter than the exporter in one way: texts must be texts, since `--set` turns the order "0101" into 101.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from dbc_exporter.config import section
from dbc_exporter.config.records import TargetGroup, TargetRecord
from dbc_exporter.config.settings import Settings
from dbc_exporter.remediation.policy import Policy

# set by the chart itself: the pod's number, the container's port, mounts of Secrets and the claim
OWNED_AT_TOP = ("shard", "total_shards")
OWNED = (
    ("web", "listen_address"),
    ("web", "config_file"),
    ("storage", "path"),
    ("remediation", "policy_file"),
    ("remediation", "kill_file"),
    ("remediation", "webhook_token_file"),
)
_DURATION = {"type": "string", "pattern": r"^(([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+|[0-9]+(\.[0-9]+)?)$"}
_PATTERNS: dict[Callable[..., Any], str] = {
    get_args(kind)[1].func: pattern
    for kind, pattern in (
        (section.NodeId, "^[0-9a-f]{64}$"),
        (section.LabelName, "^([a-zA-Z]|_[a-zA-Z0-9]|_$)[a-zA-Z0-9_]*$"),
        (section.Url, "^https?://[^/?#@]+/?$"),
        (section.ExternalUrl, "^https?://[^/?#@]+(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$"),
        (section.RoutePrefix, "^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$"),
        (section.TelemetryPath, "^(/[A-Za-z0-9._~-]+)+$"),
    )
}


class _Schema(GenerateJsonSchema):
    """Says what our own checks say, and no defaults: they are the exporter's, and change with it."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        inner = super().function_before_schema(schema)
        if schema["function"]["function"] is section.parse_duration:
            return {"anyOf": [inner, _DURATION]}
        return inner

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        inner = super().function_after_schema(schema)
        pattern = _PATTERNS.get(schema["function"]["function"])
        return inner if pattern is None else {**inner, "pattern": pattern}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Name both types in one place where that is possible: an error of `anyOf` tells nobody what is wrong."""
        inner = self.generate_inner(schema["schema"])
        if isinstance(inner.get("type"), str) and "enum" not in inner:
            return {**inner, "type": [inner["type"], "null"]}
        return {"anyOf": [inner, {"type": "null"}]}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Refuse a bad key as an unknown one: what Helm says of `propertyNames` does not tell where it is."""
        keys = self.generate_inner(schema["keys_schema"]) if "keys_schema" in schema else {}
        values = self.generate_inner(schema["values_schema"]) if "values_schema" in schema else {}
        if "pattern" not in keys:
            return {"type": "object", "additionalProperties": values}
        return {
            "type": "object",
            "patternProperties": {keys["pattern"]: values},
            "additionalProperties": False,
        }

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        """Take 1 for "1", as the settings do. Helm's validator holds the two for equal, which one list may not have."""
        texts = [one for one in schema["expected"] if not str(one).isdigit()]
        numbers = [
            {"const": form} for one in schema["expected"] if str(one).isdigit() for form in (one, int(one))
        ]
        return {"anyOf": [{"enum": texts}] * bool(texts) + numbers} if numbers else {"enum": texts}

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Judge by the tag first, so that an error names the key and not four alternatives."""
        tag = str(schema["discriminator"])
        return {
            "type": "object",
            "required": [tag],
            "properties": {tag: {"enum": [str(choice) for choice in schema["choices"]]}},
            "allOf": [
                {"if": {"properties": {tag: {"const": choice}}}, "then": self.generate_inner(inner)}
                for choice, inner in schema["choices"].items()
            ],
        }

    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False


def definitions() -> dict[str, Any]:
    """Return the schemas of `Settings`, `TargetRecord`, `TargetGroup` and `Policy`, and what they refer to, by name."""
    models = [(model, "validation") for model in (Settings, TargetRecord, TargetGroup, Policy)]
    _, schema = models_json_schema(
        models,  # type: ignore[arg-type]  # the mode's literal is widened in the list
        ref_template="#/definitions/{model}",
        schema_generator=_Schema,
    )
    found: dict[str, Any] = schema["$defs"]
    for model in found.values():
        _tidy(model)
    found["Settings"]["description"] = (
        "The settings file, without what the chart sets itself and without secrets."
    )
    found["CollectorSettings"].pop("required", None)  # CollectorsSettings fills the interval in
    for key in OWNED_AT_TOP:
        del found["Settings"]["properties"][key]
    for group, key in OWNED:
        del found[_definition_of(found["Settings"], group)]["properties"][key]
    for group in {group for group, _ in OWNED}:
        name = _definition_of(found["Settings"], group)
        if not found[name]["properties"]:
            del found["Settings"]["properties"][group], found[name]
    return found


def _definition_of(model: dict[str, Any], key: str) -> str:
    return str(model["properties"][key]["$ref"]).rsplit("/", 1)[-1]


def _tidy(model: dict[str, Any]) -> None:
    """Leave out secrets, formats that no validator agrees on, and requirements that a default fulfils."""
    model.pop("title", None)
    properties: dict[str, Any] = model.get("properties", {})
    for name in [name for name, value in properties.items() if value.get("writeOnly")]:
        del properties[name]
    for name, value in properties.items():
        value.pop("format", None)
        if (
            "gt" in value
        ):  # pydantic leaves a bound of a duration beside both of its forms; it is meant for the number
            value["anyOf"][0]["exclusiveMinimum"] = value.pop("gt")
        if value.pop("default", None) is not None and name in model.get("required", ()):
            model["required"].remove(name)
