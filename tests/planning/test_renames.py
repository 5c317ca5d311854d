"""A delete and a create that look like a rename are named once, and only where nothing has to be guessed."""

from __future__ import annotations

import time
from dataclasses import replace

from schedsync.core.change import Change, Create, Delete
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.observed import Row
from schedsync.core.schedule import Spec, Template
from schedsync.core.timing import Crontab, Interval
from schedsync.planning.renames import renames

SPEC = Spec("shop.tasks.digest", Crontab("0", "5", "*", "*", "*", "UTC"), kwargs='{"kind":"full"}')
PLACE = Location("s/a.yaml", 3, 3)


def gone(name: str, spec: Spec = SPEC) -> Delete:
    return Delete(name=name, row=Row(1, name, spec))


def come(name: str, spec: Spec = SPEC, template: Template | None = None) -> Create:
    return Create(name=name, after=spec, location=PLACE, template=template)


def messages(*changes: Change) -> list[str]:
    return [finding.message for finding in renames(changes)]


def tenants(count: int, old: str = "sync", new: str = "pull") -> list[Change]:
    """The schedules of a for_each go, and those of another with the same values come."""
    specs = {f"t{n}": replace(SPEC, kwargs=f'{{"tenant":"t{n}"}}') for n in range(count)}
    return [
        *(gone(f"{old}-{tenant}", spec) for tenant, spec in specs.items()),
        *(come(f"{new}-{t}", spec, Template(f"{new}-{{tenant}}", (("tenant", t),))) for t, spec in specs.items()),
    ]


def test_what_does_the_same_at_another_time_looks_like_a_rename() -> None:
    later = replace(SPEC, timing=Interval(60_000_000), queue="slow")

    assert list(renames([gone("digest"), come("weekly", later)])) == [
        Finding(
            "SS163",
            "`digest` is deleted and `weekly` is created, and both do the same",
            PLACE,
            "write `renamed_from: digest` to keep its row, its history and its last run",
            "warning",
        )
    ]


def test_so_does_another_task_with_the_same_timing_arguments_and_queue() -> None:
    moved = replace(SPEC, task="shop.reports.digest")

    assert messages(gone("digest"), come("weekly", moved)) == [
        "`digest` is deleted and `weekly` is created, and only the task differs"
    ]
    assert messages(gone("digest"), come("weekly", replace(moved, queue="slow"))) == []


def test_two_candidates_are_not_guessed() -> None:
    assert messages(gone("a"), gone("b"), come("c")) == []
    assert messages(gone("a"), come("b"), come("c")) == []


def test_an_equal_one_is_preferred_to_one_at_another_time() -> None:
    other = replace(SPEC, timing=Interval(60_000_000))

    assert messages(gone("a"), come("b", other), come("c")) == [
        "`a` is deleted and `c` is created, and both do the same"
    ]


def test_a_renamed_for_each_is_one_finding_with_its_template() -> None:
    (finding,) = renames(tenants(200))

    assert (
        finding.message
        == "`sync-{tenant}` is deleted and `pull-{tenant}` is created, and both do the same (200 schedules)"
    )
    assert finding.hint == "write `renamed_from: sync-{tenant}` to keep their rows, their history and their last runs"
    assert len(finding.names) == 200


def test_the_time_grows_with_the_number_of_changes() -> None:
    def seconds(count: int) -> float:
        changes = tenants(count)
        began = time.process_time()
        list(renames(changes))
        return time.process_time() - began

    # With pairs of all it would be 100 times as long.
    assert min(seconds(20_000) for _ in range(2)) < 30 * max(seconds(2000) for _ in range(3))
