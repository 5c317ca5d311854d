"""The key ``monitor``: what it is in a spec, by defaults and environments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schedsync.config import Config
from schedsync.core.monitor import Monitor, monitor_in, monitor_text
from schedsync.core.schedule import Spec, form, spec_from, spec_text
from schedsync.core.sources import no_sources
from schedsync.core.timing import Interval
from schedsync.files.discover import SourceFile
from schedsync.usecases.accepted_files import files_of_set

HEAD = "version: 1\ndefaults:\n  monitor: {grace: 2m}\nschedules:\n"


def monitors(text: str, environment: str = "production") -> dict[str, Monitor | None]:
    data = text.encode()

    def beside(name: str) -> bytes:
        raise FileNotFoundError(name)

    source = SourceFile("a.yaml", len(data), lambda: data, beside)
    config = Config(paths=(Path(),), environments=("staging", "production"))
    files = files_of_set(config, no_sources, {"a.yaml": source}, (), ("staging", "production"))
    assert not any(files.errors.values())
    return {name: monitor_in(each.spec.monitor) for name, each in files.desired[environment].schedules.items()}


@pytest.mark.parametrize(
    ("fields", "monitor"),
    [
        ("", Monitor(grace=120)),
        (", monitor: false", None),
        (", monitor: null", None),
        (", monitor: true", Monitor(300, 1_800)),
        (", monitor: {}", Monitor(300, 1_800)),
        (", monitor: {max_runtime: 2h}", Monitor(300, 7_200)),
        (", max_runtime: 45m", Monitor(120, 2_700)),
        (", max_runtime: 30s", Monitor(120, 60)),
        (", max_runtime: 45m, monitor: {grace: 120s, max_runtime: 90s}", Monitor(120, 90)),
        (", environments: {production: {monitor: {grace: 1h}}}", Monitor(grace=3_600)),
        (", environments: {production: {monitor: false}}", None),
        (", environments: {staging: {monitor: false}}", Monitor(grace=120)),
    ],
)
def test_a_schedule_has_its_monitor(fields: str, monitor: Monitor | None) -> None:
    assert monitors(f"{HEAD}  a: {{task: t, every: 5m{fields}}}\n") == {"a": monitor}


def test_a_monitor_survives_its_text() -> None:
    text = f'{HEAD}  "a-{{n}}": {{task: t, for_each: {{n: [1, 2]}}, crontab: "0 5 * * *"}}\n'

    assert monitors(text) == {"a-1": Monitor(120), "a-2": Monitor(120)}
    assert monitor_in(monitor_text(Monitor(90, 86_400))) == Monitor(90, 86_400)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"grace":"5m"}', '{"grace":5,"max_runtime":"1h"}', '{"grace":"5s","max_runtime":"1h"}',
     '{"grace":"5m","max_runtime":"99d"}', "[" * 99_999],
)  # fmt: skip
def test_a_broken_text_is_no_monitor(text: str) -> None:
    assert monitor_in(text) is None


def test_the_canonical_form_has_the_monitor() -> None:
    plain = Spec("t", Interval(60_000_000))
    spec = replace(plain, monitor=monitor_text(Monitor(300, 7_200)))

    assert form(spec)["monitor"] == {"grace": "5m", "max_runtime": "2h"}
    assert spec_from(form(spec)) == spec
    assert spec_text(spec) != spec_text(plain)
