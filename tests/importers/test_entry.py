"""A spec as the entry of a file: only what is no default, in the order of a file, without secrets."""

from __future__ import annotations

from schedsync.core.schedule import People, Spec
from schedsync.core.timing import interval
from schedsync.importers.entry import entry_of


def test_an_entry_has_what_is_no_default() -> None:
    assert entry_of("a", Spec("t", interval(30, 1_000_000)), People()) == "a:\n  task: t\n  every: 30s\n"


def test_an_entry_has_the_fields_of_our_beat_and_those_for_people_and_no_secret() -> None:
    spec = Spec(
        "t", interval(1, 60_000_000), kwargs='{"password":"x"}', starting_deadline=300, overlap="skip", max_runtime=90
    )
    people = People("team", "https://example.org/?token=abcdefgh12345678", (("tier", "gold"),), "noise")

    assert entry_of("on", spec, people).splitlines() == [
        '"on":', "  task: t", "  every: 1m", '  kwargs: {password: "***"}', "  starting_deadline: 5m",
        "  overlap: skip", "  max_runtime: 90s", "  disabled_reason: noise", "  owner: team",
        '  runbook: "***"', "  labels: {tier: gold}",
    ]  # fmt: skip
