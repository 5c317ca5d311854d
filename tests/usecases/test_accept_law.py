"""The law of ``accept``: what somebody makes of rows the files then say, and every other schedule is as before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schedsync.config import Config
from schedsync.core.acceptance import Acceptance
from schedsync.core.observed import Row
from schedsync.core.schedule import LEDGER_FIELDS, ROW_FIELDS, Spec, canonical_json, differing, value_form
from schedsync.core.sources import no_sources
from schedsync.core.timing import Clocked, Interval, crontab, solar
from schedsync.files.discover import SourceFile
from schedsync.importers.accepted_pieces import Placing
from schedsync.importers.piece import Scope
from schedsync.usecases.accepted_files import FilesOfSet, files_of_set, written_into
from tests.usecases.test_accept import SHOP

ENVIRONMENTS = ("staging", "production")
LATER = datetime(2035, 6, 1, 12, 30, tzinfo=timezone.utc)
#: The same schedules in other styles: one line each, as JSON, and with the fields in the environment.
BRACKETS = """\
{version: 1, defaults: {queue: q, expires_after: 1h, kwargs: {a: 1}}, schedules: {
  one: {task: t, crontab: '*/5 * * * *', timezone: Europe/Berlin}, # the first
  two: {"task": "t", "every": "1m", "enabled": false, "disabled_reason": "x",
    "environments": {"production": {"every": "2m"}}},
  "x-{n}": {task: t, for_each: {n: [1, 2]}, every: 1h, args: ["{n}"], environments: {staging: {for_each: {n: [1]}}}}
}}"""
ALIASES = """\
version: 1
x-base: &base
  task: t
  every: 1m
  kwargs: &args {a: {b: [1, 2]}, c: "x"}
x-production: &production {queue: fast, crontab: "0 3 * * *"}
schedules:

  a: *base

  b:
    <<: *base
    kwargs: *args
    environments: {production: *production}

  c:
    <<: [*base]
    args:
    - [1, {x: 1}]
    - y   # the last
    environments:
      production:
        <<: *production
        priority: 3
"""
TEXTS = st.sampled_from(
    ["x", "a: b", "ü # y", "'", '"q"', "yes", "12", "a\nb\n", "a\r\n b", "\\", "{x}", "- a", "\u2028", " "]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.just(0.5), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.just("a"), TEXTS), inner, max_size=3)
    ),
    max_leaves=6,
)
CRONTABS = st.builds(
    lambda minute, hour, day, zone: crontab({"minute": minute, "hour": hour, "day_of_week": day}, zone),
    st.sampled_from(["0", "*/5", "1,7"]),
    st.sampled_from(["*", "3", "2-4"]),
    st.sampled_from(["*", "mon-fri", "0,6"]),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Tokyo"]),
)
TIMINGS = st.one_of(
    CRONTABS, st.builds(Interval, st.integers(1, 90).map(lambda n: n * 10**6)), st.just(Clocked(LATER)),
    st.just(solar("sunset", "52.52", "13.405")),
)  # fmt: skip
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "task": st.sampled_from(["t", "shop.tasks.new"]),
    "timing": TIMINGS,
    "args": st.lists(JSON, max_size=3).map(canonical_json),
    "kwargs": st.dictionaries(st.sampled_from("abc"), JSON, max_size=3).map(canonical_json),
    "headers": st.dictionaries(st.sampled_from("abc"), JSON, max_size=2).map(canonical_json),
    "queue": st.sampled_from([None, "q", "fast", "a b"]),
    "exchange": st.sampled_from([None, "x"]),
    "routing_key": st.sampled_from([None, "x.#"]),
    "priority": st.sampled_from([None, 0, 9]),
    "start_at": st.sampled_from([None, datetime(2030, 1, 1, tzinfo=timezone.utc)]),
    "one_off": st.booleans(),
    "enabled": st.booleans(),
    "description": TEXTS.map(lambda text: text.replace("\r\n", "\n")),
    "delivery": st.sampled_from(["at_least_once", "at_most_once"]),
    "starting_deadline": st.sampled_from([None, 60]),
}


@st.composite
def edited(draw: Callable[..., Any], spec: Spec) -> Spec:
    """A spec with some fields as somebody may edit them."""
    names = draw(st.sets(st.sampled_from([*FIELDS, "expires"]), min_size=1, max_size=4))
    values = {name: draw(FIELDS[name]) for name in sorted(names - {"expires"})}
    if "expires" in names:
        after, at = draw(st.sampled_from([(None, None), (60, None), (None, LATER)]))
        values |= {"expires_after": after, "expires_at": at}
    spec = replace(spec, **values)
    return replace(spec, one_off=True) if isinstance(spec.timing, Clocked) else spec


def files_of(text: str) -> FilesOfSet:
    data = text.encode()

    def beside(name: str) -> bytes:
        raise FileNotFoundError(name)

    source = SourceFile("shop.yaml", len(data), lambda: data, beside)
    config = Config(paths=(Path(),), environments=ENVIRONMENTS)
    return files_of_set(config, no_sources, {"shop.yaml": source}, (), (*ENVIRONMENTS, "production"))


@settings(max_examples=120, deadline=None)
@given(st.data(), st.sampled_from([SHOP, BRACKETS, ALIASES]), st.booleans(), st.booleans())
def test_the_files_say_what_the_rows_hold(data: Any, text: str, everywhere: bool, crlf: bool) -> None:
    files = files_of(text.replace("\n", "\r\n") if crlf else text)
    assert not any(files.errors.values())
    here = files.desired["production"].schedules
    names = data.draw(st.sets(st.sampled_from(sorted(here)), min_size=1, max_size=3))
    acceptances = []
    for number, name in enumerate(sorted(names)):
        gone = data.draw(st.integers(0, 5)) == 0
        spec = data.draw(edited(here[name].spec))
        fields = differing(spec, here[name].spec)
        kind: Any = "remove" if gone else "edit"
        acceptances.append(Acceptance(name, kind, None if gone else Row(number, name, spec), fields))
    scope = Scope("production", ENVIRONMENTS, everywhere, timezone.utc)
    placing = Placing(files.by_path, files.desired, scope)
    placed = [placing.existing(each) for each in acceptances]

    result = written_into(files, placed, scope, placing)  # type: ignore[arg-type]

    assert result.left == ()
    after = files.with_texts(result.texts)
    there = after.desired["production"].schedules
    assert {name: there[name].spec if name in there else None for name in names} == {
        each.name: each.row.spec if each.row else None for each in acceptances
    }
    again = [each for each in placed if each[1].acceptance.kind == "edit"]  # type: ignore[index]
    placing = Placing(after.by_path, after.desired, scope)
    repeated = written_into(after, [placing.existing(piece.acceptance) for _, piece in again], scope, placing)  # type: ignore
    assert repeated.texts == {}


def test_the_law_covers_every_field() -> None:
    assert {*ROW_FIELDS, *LEDGER_FIELDS} - FIELDS.keys() == {
        "expires_after", "expires_at", "missed_runs", "overlap", "max_runtime", "monitor",
    }  # fmt: skip
    assert value_form("queue", None) is None
