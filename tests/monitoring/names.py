"""The names of metrics in expressions, and the names that schedsync exports."""

from __future__ import annotations

import re
from collections.abc import Iterable

from schedsync.monitoring.metrics import Kind, Metric

_ENDINGS: dict[Kind, tuple[str, ...]] = {
    "gauge": ("",), "counter": ("_total",), "summary": ("_sum", "_count"), "info": ("_info",),
}  # fmt: skip


def exported_names(metrics: Iterable[Metric]) -> set[str]:
    """Return the names of all series."""
    return {f"{metric.name}{ending}" for metric in metrics for ending in _ENDINGS[metric.kind]}


def names_in(expression: str) -> set[str]:
    """Return the names of schedsync's metrics in an expression of PromQL."""
    return set(re.findall(r"\bschedsync_\w+", expression))
