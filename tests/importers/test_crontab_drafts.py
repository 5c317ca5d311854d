"""Each line of a crontab becomes a schedule of one task, with the command as its argument."""

from __future__ import annotations

import json
from datetime import date

from schedsync.importers.crontab_drafts import LineCandidates, dates_text, line_candidates
from schedsync.importers.crontab_file import parse_crontab

TODAY = date(2026, 11, 23)


def candidates(text: str, **words: bool) -> LineCandidates:
    return line_candidates(parse_crontab(text, **words), "shop.run", TODAY)


def arguments(result: LineCandidates) -> dict[str, list[str]]:
    return {draft.name: json.loads(draft.spec.args) for draft in result.drafts}


def test_the_command_is_the_only_argument_of_the_task() -> None:
    result = candidates("*/15 * * * * cd /srv && ./manage.py poll --all | tee log # x\n@daily date +\\%F\n")

    assert arguments(result) == {"poll": ["cd /srv && ./manage.py poll --all | tee log # x"], "date-f": ["date +%F"]}
    assert {draft.spec.task for draft in result.drafts} == {"shop.run"}
    assert [(draft.fields["crontab"], draft.notes) for draft in result.drafts] == [
        ("*/15 * * * *", ()),
        ("0 0 * * *", ()),
    ]


def test_text_for_the_standard_input_cannot_be_taken() -> None:
    result = candidates("@daily mail -s x jo%hello\n@daily poll\n@reboot poll\n@daily\n")

    assert list(arguments(result)) == ["poll"]
    assert [(each.name, each.reason.partition(" (")[0]) for each in result.left_out] == [
        ("line 3", "`@reboot` runs when the host starts, which Beat cannot see"),
        ("line 4", "it has no command"),
        ("line 1, mail-x-jo-hello", "cron gives the text after `%` to the command's standard input"),
    ]
    # The backslash before this one is itself a part of the command.
    assert arguments(candidates("@daily poll a\\\\%b\n")) == {}


def test_the_user_of_a_line_is_a_note() -> None:
    result = candidates("\n0 1 * * * root poll\n", system=True)

    assert (arguments(result), result.drafts[0].notes) == (
        {"poll": ["poll"]},
        ("Line 2 of the crontab, as user root.",),
    )


def test_a_split_line_lists_the_dates_on_which_it_runs_twice() -> None:
    result = candidates("0 3 1,15 * fri both\n0 4 31 2-3 mon,tue few\n0 4 1 1 mon never\n", split_days=True)

    assert list(arguments(result)) == ["both", "both-2", "few", "few-2", "never", "never-2"]
    assert [(double.line, double.names, dates_text(double.dates)) for double in result.doubles] == [
        (1, ("both", "both-2"), "Fri 2027-01-01, Fri 2027-01-15, Fri 2027-10-01, Fri 2027-10-15"),
        (2, ("few", "few-2"), ""),
        (3, ("never", "never-2"), ""),
    ]
    assert result.drafts[0].notes[0].startswith("Runs in addition to both-2 on Fri 2027-01-01, ")
    assert result.drafts[-1].notes == ("Runs in addition to never.",)
    many = candidates("0 3 1-30 * * x\n0 3 1-31/2 * 1-6/1 daily\n", split_days=True).doubles
    assert len(many[0].dates) > 100
    assert dates_text(many[0].dates).endswith(f" and {len(many[0].dates) - 5} more")
