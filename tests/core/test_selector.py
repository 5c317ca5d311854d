"""A selector: kinds narrow one another, values of a kind widen, and a typing error is found."""

from __future__ import annotations

import json

import pytest

from schedsync.core.selector import (
    Candidate,
    Selector,
    Unmatched,
    selector_document,
    selector_from,
    selector_text,
    texts_in_records,
)

CANDIDATES = [
    Candidate("sync-acme", "shop", "crm", "team-data", (("region", "eu"), ("tier", "free"))),
    Candidate("sync-globex", "shop", None, "team-data", (("tier", "gold"),)),
    Candidate("sync-[a]", "shop", "crm"),
    Candidate("sync-a", "other", "crm", "team-ops"),
    Candidate("by-hand"),
]
FULL = Selector.of(
    ["sync-acme", "s*"],
    sets=("shop",),
    queues=("crm",),
    owners=("team-data",),
    labels=(("tier", "free"), ("a key", "a=b c")),
)


def names(selector: Selector) -> list[str]:
    return [candidate.name for candidate in CANDIDATES if selector.fits(candidate)]


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (Selector(), ["sync-acme", "sync-globex", "sync-[a]", "sync-a", "by-hand"]),
        (Selector(everything=True), ["sync-acme", "sync-globex", "sync-[a]", "sync-a", "by-hand"]),
        (Selector.of(["by-hand", "sync-g*"]), ["sync-globex", "by-hand"]),
        (Selector.of(["sync-*"], sets=("shop",)), ["sync-acme", "sync-globex", "sync-[a]"]),
        (Selector(sets=("shop", "other"), queues=("crm",)), ["sync-acme", "sync-[a]", "sync-a"]),
        (Selector(owners=("team-data", "team-ops"), queues=("crm",)), ["sync-acme", "sync-a"]),
        (Selector(labels=(("tier", "free"), ("tier", "gold"))), ["sync-acme", "sync-globex"]),
        (Selector(labels=(("tier", "free"), ("tier", "gold"), ("region", "eu"))), ["sync-acme"]),
        (Selector(labels=(("tier", "free"), ("region", "us"))), []),
        (Selector.of(["sync-[ag]*"]), ["sync-acme", "sync-globex", "sync-a"]),
    ],
)
def test_kinds_narrow_and_the_values_of_a_kind_widen(selector: Selector, selected: list[str]) -> None:
    assert names(selector) == selected


def test_an_exact_name_wins_over_its_meaning_as_a_glob() -> None:
    selector = Selector.of(["sync-[a]", "sync-g*"]).among({candidate.name for candidate in CANDIDATES})

    assert names(selector) == ["sync-globex", "sync-[a]"]
    assert selector == Selector(frozenset({"sync-[a]"}), ("sync-g*",))


def test_each_part_that_fits_nothing_is_named_with_the_values_that_exist() -> None:
    selector = Selector.of(["sync-acme", "sink", "x*"], owners=("team-dta",), labels=(("tier", "frei"),))
    everyone = {candidate.name for candidate in CANDIDATES}

    assert list(selector.unmatched(CANDIDATES)) == [
        Unmatched("name", "sink", everyone),
        Unmatched("glob", "x*", everyone),
        Unmatched("owner", "team-dta", {"team-data", "team-ops"}),
        Unmatched("label", "tier=frei", {"region=eu", "tier=free", "tier=gold"}),
    ]
    assert list(FULL.unmatched(CANDIDATES)) == [
        Unmatched("label", "a key=a=b c", {"region=eu", "tier=free", "tier=gold"})
    ]


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (Selector(), ""),
        (Selector(everything=True), "--all"),
        (
            FULL,
            "sync-acme 's*' --set shop --queue crm --owner team-data --label tier=free --label 'a key=a=b c'",
        ),
    ],
)
def test_its_text_is_a_command_line_and_its_json_is_read_back(selector: Selector, text: str) -> None:
    document = json.loads(json.dumps(selector_document(selector)))

    assert selector_text(selector) == text
    assert selector_from(document) == selector


@pytest.mark.parametrize("values", [{"names": [1]}, {"labels": [["a"]]}, {"labels": 1}, {"teams": ["a"]}, {"globs": 2}])
def test_json_of_another_shape_is_no_selector(values: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        selector_from(values)


@pytest.mark.parametrize(
    ("selector", "stands"),
    [
        (Selector(), False),
        (Selector.of(["a", "b"]), False),
        (Selector.of(["a"], owners=("team-data",)), False),
        (Selector.of(["a", "b*"]), True),
        (Selector(owners=("team-data",)), True),
        (Selector(everything=True), True),
    ],
)
def test_it_stands_for_schedules_that_come_later_unless_it_names_each(selector: Selector, stands: bool) -> None:
    assert selector.stands is stands


def test_a_glob_takes_linear_time() -> None:
    long = Selector.of(["*a" * 40 + "b"])

    assert not long.fits(Candidate("a" * 100_000))


def test_a_record_of_many_names_has_only_that_of_its_schedule() -> None:
    few, many = Selector.of(["b", "a"]), Selector.of(["a b", *map(str, range(100))])

    assert texts_in_records(few, ["a", "b"]) == {"a": "a b", "b": "a b"}
    assert texts_in_records(many, ["a b", "7"]) == {"a b": "'a b'", "7": "7"}
