"""Checks a PromQL query against the catalogue of metrics and tells which labels its result carries.

promql-parser checks syntax and types. This adds what only we know: which metrics there are, their labels and the
closed value sets of those, and which of them are counters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace

import promql_parser as pp

from dbc_exporter.metrics.catalogue import family_of
from dbc_exporter.metrics.family import Family, MetricType

SCRAPE_LABELS = frozenset({"job", "instance"})
"""Labels that Prometheus adds to every series."""

FOREIGN = frozenset({"ALERTS"})
"""Metrics that Prometheus makes itself, with labels of their own."""

GROWTH = frozenset({"rate", "irate", "increase", "resets"})
"""Functions that mean something on counters only, and the only ones through which a counter means something."""

_BIRTH = "birth"
"""Stands for `x unless x offset …`: series that were not there before, of which a counter's whole value is new."""

_MACROS = (("$__rate_interval", "5m"), ("$__interval", "1m"), ("$__range", "1h"))
_SAMPLES_OF_HISTOGRAMS = ("_bucket", "_sum", "_count")

FamilyOf = Callable[[str], Family | None]


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known of the labels of a result: their names, and whether there can be others."""

    names: frozenset[str] = frozenset()
    users: bool = False
    """Whether there are labels of the operator's own (`label_*`)."""
    any: bool = False
    """Whether there can be labels of any name."""

    def has(self, name: str) -> bool:
        """Tell whether a label of this name can be there."""
        return name in self.names or self.any or (self.users and name.startswith("label_"))

    def only(self, names: Iterable[str]) -> Labels:
        """Keep these, as far as they are there."""
        return Labels(frozenset(name for name in names if self.has(name)))

    def without(self, names: Iterable[str]) -> Labels:
        """Drop these."""
        return replace(self, names=self.names - frozenset(names))

    def plus(self, names: Iterable[str]) -> Labels:
        """Add these."""
        return replace(self, names=self.names | frozenset(names))

    def common(self, other: Labels) -> Labels:
        """Keep what both have."""
        names = (self if other.any else other).names
        shared = frozenset(name for name in names if self.has(name) and other.has(name))
        return Labels(shared, self.users and other.users, self.any and other.any)


@dataclass(slots=True)
class Query:
    """A query that was looked through: `labels` of its result (`None`: a scalar), `problems`, and what it selects."""

    labels: Labels | None = None
    problems: list[str] = field(default_factory=list)
    selectors: list[pp.VectorSelector] = field(default_factory=list)

    def metrics(self) -> set[str]:
        """Return the names of the samples it selects."""
        return {selector.name for selector in self.selectors if selector.name}


def examine(expr: str, family: FamilyOf = family_of, foreign: Collection[str] = FOREIGN) -> Query:
    """Look through a query; Grafana's macros for durations are taken as some duration.

    `family` finds the family of a sample's name, `foreign` names metrics that are not the exporter's (for rules: the
    recorded ones as well).
    """
    for macro, duration in _MACROS:
        expr = expr.replace(macro, duration)
    try:
        parsed = pp.parse(expr)
    except ValueError as error:
        return Query(problems=[f"does not parse: {error}"])
    walk = _Walk(family, foreign)
    walk.query.labels = walk.visit(parsed, "")
    return walk.query


@dataclass(slots=True)
class _Walk:
    family: FamilyOf
    foreign: Collection[str]
    query: Query = field(default_factory=Query)

    def visit(self, node: object, function: str) -> Labels | None:
        """Return the labels of a part; `function` is the one that is called on it directly."""
        if isinstance(node, pp.VectorSelector):
            return self._selector(node, function)
        if isinstance(node, pp.MatrixSelector):
            return self._selector(node.vector_selector, function)
        if isinstance(node, pp.ParenExpr | pp.UnaryExpr):
            return self.visit(node.expr, function if isinstance(node, pp.ParenExpr) else "")
        if isinstance(node, pp.SubqueryExpr):
            return self.visit(node.expr, "")
        if isinstance(node, pp.AggregateExpr):
            return self._aggregate(node)
        if isinstance(node, pp.BinaryExpr):
            return self._binary(node)
        if isinstance(node, pp.Call):
            return self._call(node)
        return None  # a literal

    # -- selectors -----------------------------------------------------------------------------------------

    def _selector(self, node: pp.VectorSelector, function: str) -> Labels:
        self.query.selectors.append(node)
        if node.name in self.foreign:
            return Labels(any=True)
        family = self.family(node.name or "")
        if family is None or (family.type is MetricType.HISTOGRAM and family.name == node.name):
            self._complain(f"{node.name or 'a selector without a name'} is no metric of ours")
            return Labels(any=True)
        self._growth(node.name or "", family, function)
        names = SCRAPE_LABELS.union(family.labels, {"le"} if (node.name or "").endswith("_bucket") else ())
        labels = Labels(names, family.user_labels)
        for matcher in node.matchers.matchers:
            if not labels.has(matcher.name):
                self._complain(f"{node.name} has no label {matcher.name}")
            elif matcher.name in family.enums:
                self._possible(node.name or "", matcher, family.enums[matcher.name])
        return labels

    def _growth(self, name: str, family: Family, function: str) -> None:
        counts = family.type is MetricType.COUNTER or (
            family.type is MetricType.HISTOGRAM and name.endswith(_SAMPLES_OF_HISTOGRAMS)
        )
        if function in GROWTH and not counts:
            self._complain(f"{function}() of {name}, which is no counter")
        if counts and function not in GROWTH and function != _BIRTH:
            self._complain(f"{name} is a counter and means something under rate() or increase() only")

    def _possible(self, name: str, matcher: pp.Matcher, values: Collection[str]) -> None:
        if "$" in matcher.value or matcher.value == "":
            return
        exact = matcher.op in (pp.MatchOp.Equal, pp.MatchOp.NotEqual)
        for wanted in [matcher.value] if exact else matcher.value.split("|"):
            found = wanted in values if exact else any(re.fullmatch(wanted, value) for value in values)
            if not found:
                self._complain(f"{matcher.name} of {name} is never {wanted}")

    # -- operations ----------------------------------------------------------------------------------------

    def _aggregate(self, node: pp.AggregateExpr) -> Labels:
        inner = self.visit(node.expr, "") or Labels()
        if node.param is not None:
            self.visit(node.param, "")
        operation = str(node.op)
        modifier = node.modifier
        if modifier is not None:
            self._must_have(inner, modifier.labels, operation)
        if operation in {"topk", "bottomk", "limitk", "limit_ratio"}:
            return inner
        if modifier is None:
            return Labels()
        if modifier.type == pp.AggModifierType.By:
            return inner.only(modifier.labels)
        return inner.without(modifier.labels)

    def _binary(self, node: pp.BinaryExpr) -> Labels | None:
        function = _BIRTH if _is_birth(node) else ""
        left, right = self.visit(node.lhs, function), self.visit(node.rhs, function)
        if left is None or right is None:
            return right if left is None else left
        modifier = node.modifier
        matching = modifier.matching if modifier else None
        on = None
        if matching is not None:
            self._must_have(left, matching.labels, str(node.op))
            self._must_have(right, matching.labels, str(node.op))
            on = matching.labels if matching.type == pp.LabelModifierType.Include else None
        operation = str(node.op)
        if operation == "or":
            return left.common(right)
        if operation in {"and", "unless"}:
            return left
        to_one = modifier is not None and modifier.card == pp.VectorMatchCardinality.ManyToOne
        to_many = modifier is not None and modifier.card == pp.VectorMatchCardinality.OneToMany
        if modifier is not None and (to_one or to_many):
            many, one = (left, right) if to_one else (right, left)
            self._must_have(one, modifier.group_labels or (), "group")
            return many.plus(modifier.group_labels or ())
        if on is not None:
            return left.only(on)
        return left.without(matching.labels) if matching is not None else left.common(right)

    def _call(self, node: pp.Call) -> Labels | None:
        name = node.func.name
        found = [self.visit(argument, name) for argument in node.args]
        vectors = [labels for labels in found if labels is not None]
        if name in {"label_replace", "label_join"}:
            return vectors[0].plus([node.args[1].val])
        if name == "histogram_quantile":
            self._must_have(vectors[-1], ["le"], name)
            return vectors[-1].without(["le"])
        if name in {"absent", "absent_over_time", "vector"}:
            return Labels()
        if name in {"time", "scalar", "pi"}:
            return None
        return vectors[0] if vectors else Labels()

    def _must_have(self, labels: Labels, names: Iterable[str], what: str) -> None:
        for name in names:
            if not labels.has(name):
                self._complain(f"{what} by {name}, which is not there")

    def _complain(self, problem: str) -> None:
        if problem not in self.query.problems:
            self.query.problems.append(problem)


def _is_birth(node: pp.BinaryExpr) -> bool:
    now, before = node.lhs, node.rhs
    return (
        str(node.op) == "unless"
        and isinstance(now, pp.VectorSelector)
        and isinstance(before, pp.VectorSelector)
        and now.name == before.name
        and before.offset is not None
    )
