"""What a scrape says, as values."""

from __future__ import annotations

from typing import Any

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from schedsync.monitoring.collector import DatabaseCollector, DatabaseReader, registry_of

Labels = dict[str, str]


class Scrape:
    """The samples of one scrape by name, as a program that reads the text has them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def value(self, name: str, **labels: str) -> Any:
        """Return the value of the only sample that fits; None without one."""
        found = [sample for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()]
        assert len(found) <= 1, found
        return found[0].value if found else None

    def labels(self, name: str) -> list[Labels]:
        """Return the labels of all samples of a name."""
        return [sample.labels for sample in self.samples if sample.name == name]


def scrape(using: str) -> Scrape:
    """Scrape a database as the Django view does."""
    return Scrape(generate_latest(registry_of(DatabaseCollector(DatabaseReader(using)))).decode())
