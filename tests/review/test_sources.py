"""A review of definitions whose values only the application knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.core.made import snapshot_with
from tests.review.repository import Checkout, changes, codes

SYNC = "  'sync-{tenant}': {task: shop.sync, every: 1h, args: ['{tenant}'], for_each: {tenant: {source: tenants}}}\n"
HINT = "give `--against FILE`, a snapshot that was taken in this environment"


def snapshot(checkout: Checkout, values: Sequence[Any], environment: str | None = None) -> str:
    """Write a snapshot of an application with these tenants; returns the name of its file."""
    document = snapshot_with({"tenants": {"values": list(values)}}) if values else snapshot_with({})
    if environment is not None:
        document["last"] = {"environment": environment, "repository": None, "path": "schedules", "commit": None}
    task = {"parameters": None, "time_limit": None, "soft_time_limit": None}
    document["application"]["tasks"] = {"shop.sync": task, "t": task}
    document["created_at"] = "2026-11-23T09:00:00Z"
    checkout.write(json.dumps(document), "snapshot.json")
    return "snapshot.json"


@pytest.fixture
def committed(checkout: Checkout) -> Checkout:
    """A set with schedules of a source, and one other."""
    checkout.schedules(SYNC + "  other: {task: t, every: 2h}\n")
    checkout.commit()
    return checkout


def test_a_definition_that_did_not_change_is_named_and_passes(committed: Checkout) -> None:
    committed.schedules("  # moved\n" + SYNC + "  other: {task: t, every: 3h}\n")
    done = committed.review("HEAD")

    assert done.code == 0
    assert done.out.splitlines()[1] == "~1 update"
    assert done.out.splitlines()[-1] == "1 warning or info from before: see `schedsync validate`"
    assert [(one["code"], one["severity"], one["message"], one["new"]) for one in committed.json()["findings"]] == [
        ("SS153", "info", "`sync-{tenant}` did not change, and its schedules are not in this review", False)
    ]


def test_definitions_that_did_not_change_are_nothing_new(committed: Checkout) -> None:
    committed.schedules(SYNC + SYNC.replace("sync", "send") + "  other: {task: t, every: 2h}\n")
    committed.commit()
    committed.write("read me", "README.md")
    said = committed.json("HEAD")

    assert [(one["code"], one["severity"]) for one in said["findings"]] == [("SS153", "info")]
    assert codes(said) == []


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (
            SYNC.replace("1h", "2h"),
            "`sync-{tenant}` is not expanded: only the application knows the values of `tenants`",
        ),
        ("", "`sync-{tenant}` is gone, and the schedules that it made are not known here"),
        (
            SYNC.replace("{source: tenants}", "[acme]"),
            "`sync-{tenant}` is gone, and the schedules that it made are not known here",
        ),
    ],
)
def test_a_definition_that_differs_is_an_error(committed: Checkout, after: str, message: str) -> None:
    committed.schedules(after + "  other: {task: t, every: 2h}\n")
    done, said = committed.review("HEAD"), committed.json("HEAD")
    markdown = committed.review("HEAD", "--format", "markdown").out
    page = committed.review("HEAD", "--format", "html").out

    assert done.code == 1
    assert [(one["code"], one["severity"], one["message"], one["hint"]) for one in said["findings"] if one["new"]] == [
        ("SS153", "error", message, HINT)
    ]
    assert done.out.splitlines()[1].endswith("; 1 definition not compared")
    assert "; 1 definition not compared" in markdown
    assert "; 1 definition not compared" in page
    assert "Nothing that runs is changed" not in markdown + page


def test_a_snapshot_expands_both_sides(committed: Checkout) -> None:
    committed.schedules(SYNC.replace("1h", "2h") + "  other: {task: t, every: 2h}\n")
    said = committed.json("HEAD", "--against", snapshot(committed, ["globex", "acme"]))

    assert [(kind, name) for kind, name, _ in changes(said)] == [("update", "sync-acme"), ("update", "sync-globex")]
    assert "SS153" not in codes(said)


def test_a_snapshot_without_the_source_is_an_error(committed: Checkout) -> None:
    done = committed.review("HEAD", "--against", snapshot(committed, []))

    assert done.code == 1
    assert "SS152  sync-{tenant}: the snapshot has no source `tenants`" in done.out
    assert "hint: take the snapshot again where `SCHEDSYNC_SOURCES` names the source" in done.out


def test_a_snapshot_knows_the_values_of_its_own_environment_only(checkout: Checkout) -> None:
    checkout.write('environments = ["eu", "us"]\n', "schedsync.toml")
    checkout.schedules(SYNC)
    checkout.commit()
    checkout.schedules(SYNC.replace("1h", "2h"))
    said = checkout.json("HEAD", "--against", snapshot(checkout, ["acme"], "eu"))
    there = checkout.json("HEAD", "--against", "snapshot.json", "-e", "eu")

    assert [(kind, name) for kind, name, _ in changes(said)] == [("update", "sync-acme")]
    assert changes(said, 1) == []
    assert [(one["message"], one["environments"]) for one in said["findings"] if one["code"] == "SS153"] == [
        ("`sync-{tenant}` is not expanded: only the application knows the values of `tenants`", ["us"])
    ]
    assert (codes(there), there["failure_reason"]) == ([], None)


def test_a_review_does_not_count_what_it_does_not_know(committed: Checkout) -> None:
    """The other schedule was the only known one, but the set is not empty without it."""
    committed.schedules(SYNC)
    done = committed.review("HEAD")

    assert done.code == 0
    assert "-1 delete" in done.out
    assert "refused" not in done.out


def test_many_stops_are_refused_without_the_source_too(committed: Checkout) -> None:
    committed.write("version: 1\nschedules:\n  'x-{n}': {task: t, every: 2h, args: ['{n}'], for_each: {n: "
                    f"{list(range(150))}}}}}\n", "schedules/x.yaml")  # fmt: skip
    committed.commit()
    committed.write("version: 1\n", "schedules/x.yaml")
    said = committed.json("HEAD")

    assert [refusal["code"] for refusal in said["environments"][0]["refusals"]] == ["too_many_stops"]
    assert codes(said) == ["SS164"]
    assert codes(said, new=False) == ["SS153"]
