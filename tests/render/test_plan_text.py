"""A plan in a terminal: the most dangerous first, each change in few lines, each instant and timing once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from uuid import UUID

from schedsync.commands.plan import RENDERINGS
from schedsync.core.change import (
    Adopt,
    Change,
    Consequence,
    Create,
    Delete,
    Edit,
    FieldChange,
    Held,
    Release,
    Rename,
    Update,
)
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Observed, Paused, Row
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import People, Spec, Template, spec_text
from schedsync.core.timing import Crontab, Interval
from schedsync.planning.consequences import with_consequences
from schedsync.planning.fields import field_changes
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.render.changes.folding import groups
from schedsync.render.terminal import text
from schedsync.render.terminal.drift import drift
from schedsync.render.terminal.outcome import outcome
from schedsync.render.terminal.plan_sections import together
from schedsync.render.words import moved_text

NOW = datetime(2026, 11, 27, 14, 30, tzinfo=timezone.utc)
PLACE = Location("shop.yaml", 10, 3)
HOURLY = Spec("shop.tasks.lights", Interval(3_600_000_000))


def berlin(minute: str, hour: str, task: str = "shop.tasks.report") -> Spec:
    return Spec(task, Crontab(minute, hour, "*", "*", "*", "Europe/Berlin"))


def change(kind: type[Change], name: str, before: Spec | None, after: Spec | None, **more: object) -> Change:
    """Return a change as the comparison makes it, with its consequences."""
    row = None if before is None else Row(1, name, before, last_run_at=NOW - timedelta(minutes=1), hour="*")
    made = kind(name=name, row=row, after=after, fields=field_changes(after, row, before), location=PLACE, **more)
    return with_consequences([made], Observed(), NOW)[0]


def lines(*changes: Change, verbose: bool = False, **more: object) -> list[str]:
    """Return the lines of a plan below its head and its counts."""
    return text.plan(plan(*changes, **more), verbose=verbose).splitlines()[3:]


def plan(*changes: Change, **more: object) -> Plan:
    values = {"observed": Observed(), "now": NOW} | more
    return Plan("shop", Binding(commit="760f8c0"), changes, **values)  # type: ignore[arg-type]


def test_what_stops_comes_first_and_says_which_run_does_not_happen() -> None:
    gone = Spec("shop.tasks.sync", Crontab("12,27,42,57", "*", "*", "*", "*", "UTC"), kwargs='{"tenant":"initech"}')
    ledger = {"sync": Managed("sync", "shop", 1, spec_text(gone), Location("shop.yaml", 27, 3), commit="5d41f02")}
    off = change(
        Update, "lights-on", HOURLY, replace(HOURLY, enabled=False), people=People(disabled_reason="summer time")
    )
    found = lines(
        change(Create, "new", None, HOURLY), off, change(Delete, "sync", gone, None), observed=Observed(ledger=ledger)
    )

    assert found == [
        "STOPS",
        "- sync  deleted  no run Fri 27 Nov 14:42 UTC   was shop.yaml:27 at 5d41f02",
        '    shop.tasks.sync · every hour at :12 :27 :42 :57 (12,27,42,57 * * * *) · kwargs {"tenant": "initech"}',
        "~ lights-on  disabled: summer time  no run Fri 27 Nov 15:29 UTC   shop.yaml:10",
        "",
        "CHANGES",
        "+ new  every 1h · 24 a day · first Fri 27 Nov 15:30 UTC   shop.yaml:10",
        "    shop.tasks.lights",
    ]


def test_a_moved_timing_is_in_words_and_as_written_and_the_next_run_in_its_own_zone() -> None:
    moved = change(Update, "nightly-report", berlin("0", "20"), berlin("0", "2"))
    hashed = change(
        Update,
        "sync",
        Spec("t", Crontab("8,23,38,53", "*", "*", "*", "*", "UTC")),
        Spec("t", Crontab("3,18,33,48", "*", "*", "*", "*", "UTC")),
        hashed=("H/15 * * * *", "H(0-14)/15 * * * *"),
    )

    assert lines(moved) == [
        "~ nightly-report   shop.yaml:10",
        "    timing    daily 20:00 → daily 02:00 Europe/Berlin   (0 20 * * * → 0 2 * * *)",
        "    next run  Fri 27 Nov 20:00 → Sat 28 Nov 02:00   (19:00 → 01:00 UTC)",
    ]
    assert lines(hashed)[1].endswith("   (H/15 * * * * → H(0-14)/15 * * * *)")
    assert lines(hashed)[2] == "    next run  Fri 27 Nov 14:38 → Fri 27 Nov 14:33 UTC"


def test_a_zone_is_said_where_no_timing_says_it() -> None:
    moved = change(Update, "a", berlin("0", "20"), replace(berlin("0", "20"), start_at=NOW + timedelta(days=3)))

    assert lines(moved)[-1] == "    next run  Fri 27 Nov 20:00 → Mon 30 Nov 20:00 Europe/Berlin   (19:00 → 19:00 UTC)"


def test_a_rise_of_the_frequency_has_its_numbers() -> None:
    more = change(Update, "a", Spec("t", Interval(900_000_000)), Spec("t", Interval(300_000_000)))
    far_more = change(Update, "rates", berlin("0", "3"), berlin("*", "3"))

    assert "    runs      96 → 288 a day" in lines(more)
    assert lines(far_more)[0] == "FAR MORE OFTEN"
    assert "    runs    1 → 60 a day, 60 times as often (SS222)" in lines(far_more)


def test_the_counts_are_the_legend_and_the_checksum_is_for_the_verbose() -> None:
    changes = (
        change(Create, "c", None, HOURLY),
        change(Delete, "d", HOURLY, None),
        change(Rename, "r", HOURLY, HOURLY, old_name="q"),
    )
    value = plan(*changes, unchanged=2, paused=(Paused("p", "why", "jo", NOW, NOW + timedelta(days=1)),))
    value = replace(value, database="default")

    assert text.plan(value).splitlines()[:2] == [
        "Plan for shop at 760f8c0 on default",
        "1 stops    +1 create  >1 rename  -1 delete  2 unchanged, 1 paused",
    ]
    assert "! p: paused by jo until Sat 28 Nov 14:30 UTC: why" in text.plan(value)
    assert "checksum" not in text.plan(value)
    assert text.plan(value, verbose=True).splitlines()[-1] == f"checksum {value.checksum}"


def test_a_count_of_releases_reads_as_no_factor() -> None:
    released = change(Release, "r", HOURLY, None)

    assert text.plan(plan(released)).splitlines()[1].startswith("x 1 no longer managed")


def test_alarms_and_counts_share_a_line_where_they_fit_with_colour_too() -> None:
    assert together("\x1b[1m" * 20 + "1 stops", "\x1b[1m" * 20 + "-1 delete") == [
        "\x1b[1m" * 20 + "1 stops    " + "\x1b[1m" * 20 + "-1 delete"
    ]


def test_a_group_counts_what_follows_inside() -> None:
    moved = [
        change(
            Update,
            f"sync-{tenant}",
            Spec("t", Crontab(str(minute + 10), "*", "*", "*", "*", "UTC")),
            Spec("t", Crontab(str(minute), "*", "*", "*", "*", "UTC")),
            hashed=("H(10-59) * * * *", "H(0-49) * * * *"),
            template=Template("sync-{tenant}", (("tenant", tenant),)),
        )
        for minute, tenant in enumerate(("acme", "bolt", "corp", "dyna"), 35)
    ]
    said = lines(*moved)

    assert said[0] == "~ sync-{tenant}: 4 schedules   shop.yaml:10"
    assert said[-1] == "    next run  move earlier, by 10 minutes"
    assert "sync-acme (45 * * * * UTC → 35 * * * * UTC)" in said[1]


def test_an_adoption_that_takes_over_is_shown_whichever_member_of_its_group_it_is() -> None:
    adopts = [change(Adopt, f"a{number}", HOURLY, HOURLY) for number in range(5)]
    taken = Consequence("taken_over", "set `billing` no longer manages it, and must remove it from its files")
    adopts[3] = replace(adopts[3], consequences=(taken,))
    found = lines(*adopts)

    assert found[0] == "TAKEN OVER"
    assert "a3" in found[-1]
    assert not [line for line in found if "to adopt, no field changes" in line]


def test_the_first_run_of_what_is_enabled_again_has_its_zone() -> None:
    off = replace(berlin("0", "20"), enabled=False)

    assert lines(change(Update, "a", off, berlin("0", "20")))[0] == (
        "~ a  first Fri 27 Nov 20:00 Europe/Berlin   shop.yaml:10"
    )
    assert lines(change(Update, "a", off, berlin("0", "21")))[0] == "~ a  first Fri 27 Nov 21:00   shop.yaml:10"


def test_what_is_deleted_is_shown_with_its_queue() -> None:
    gone = replace(HOURLY, queue="reports")

    assert lines(change(Delete, "d", gone, None))[2] == "    shop.tasks.lights · every 1h · queue reports"
    assert [field.field for field in groups([change(Delete, "d", gone, None)])[0].fields] == ["task", "timing", "queue"]


def test_the_first_labels_are_shown_and_all_of_them_to_the_verbose() -> None:
    labelled = change(Create, "a", None, HOURLY, people=People(labels=tuple((f"k{n}", "v") for n in range(3000))))
    shown, all_of_them = (lines(labelled, verbose=verbose)[1] for verbose in (False, True))

    assert shown.endswith("label k8=v, label k9=v and 2,990 more")
    assert all_of_them.count("label ") == 3000


def test_a_question_names_the_danger_and_the_place() -> None:
    value = replace(plan(change(Delete, "d", HOURLY, None)), database="default")

    assert text.question(value) == "Apply 1 change to shop on default? 1 schedule stops."
    quiet = replace(plan(change(Create, "c", None, HOURLY)), binding=Binding("production"), database=None)
    assert text.question(quiet) == "Apply 1 change to shop in production?"


def test_a_refusal_stands_before_what_it_refuses() -> None:
    refusal = Refusal("too_many_stops", "1 schedule would stop, 0 may: d", "allow it once: --allow-stops 1", 1)

    assert lines(change(Delete, "d", HOURLY, None), refusals=(refusal,))[:5] == [
        "REFUSED  an apply would write nothing",
        "  1 schedule would stop, 0 may: d  too_many_stops",
        "  hint: allow it once: --allow-stops 1",
        "",
        "STOPS",
    ]


def test_annotations_of_a_plan_hold_its_refusals() -> None:
    refusal = Refusal("too_many_stops", "1 schedule would stop, 0 may: d", "allow it once: --allow-stops 1", 1)
    value = plan(change(Delete, "d", HOURLY, None), refusals=(refusal,))

    assert RENDERINGS["github"](value) == (
        "::error title=SS164::an apply would be refused: 1 schedule would stop, 0 may: d"
        "%0Ahint: allow it once: --allow-stops 1"
    )


def test_drift_says_what_git_has_what_is_there_now_and_how_to_go_on() -> None:
    edited = Update(
        name="a",
        cause="drift",
        row=Row(1, "a", replace(HOURLY, queue="sams-queue")),
        after=HOURLY,
        fields=(FieldChange("queue", "sams-queue", None, "drift"),),
        by=Edit("sam", NOW),
    )
    said = drift(plan(edited)).splitlines()

    assert said[2:] == [
        "~ a  edited by sam at Fri 27 Nov 14:30 UTC",
        "    queue   Git: none   now: sams-queue",
        "",
        "hint: `schedsync apply` puts back what Git says; to keep it, take it into the files: `schedsync accept a`",
    ]
    assert drift(plan(held=(Held("b", since=NOW, by=Edit("sam", NOW)),))).splitlines() == [
        "Drift in set shop at 760f8c0: 1 held by a human",
        "",
        "HELD  disabled by a human, left alone; `schedsync resume NAME` releases",
        "! b: disabled by sam since Fri 27 Nov 14:30 UTC",
        "",
        "hint: to keep it, take it into the files: `schedsync accept b`",
    ]


def test_drift_of_a_timing_is_in_words_and_as_written() -> None:
    timing = field_changes(berlin("0", "20"), Row(1, "a", berlin("0", "2")), None)
    edited = Update(name="a", cause="drift", row=Row(1, "a", berlin("0", "2")), after=berlin("0", "20"), fields=timing)
    drifted = replace(edited, fields=tuple(replace(field, cause="drift") for field in timing))

    assert drift(plan(drifted)).splitlines()[3] == (
        "    timing   Git: daily 20:00 Europe/Berlin (0 20 * * *)   now: daily 02:00 Europe/Berlin (0 2 * * *)"
    )


def test_an_instant_is_written_as_everywhere() -> None:
    started = replace(HOURLY, start_at=datetime(2028, 1, 1, 14, 30, tzinfo=timezone.utc))
    at = FieldChange("timing", {"at": "2028-01-01T14:30:00Z"}, {"at": "2028-01-01T14:30:00.5Z"})

    assert "    start_at  none → Sat 1 Jan 2028 14:30 UTC" in lines(change(Update, "a", HOURLY, started))
    assert moved_text(at) == ("at Sat 1 Jan 2028 14:30 UTC", "at 2028-01-01T14:30:00.5Z")


def test_an_outcome_is_one_line_and_who_has_loaded_it() -> None:
    done = Outcome((change(Create, "c", None, HOURLY),), run=UUID(int=0x8DCB990C << 96), loaded=("beat-0", "beat-1"))

    assert outcome(done).splitlines() == [
        "Applied in run 8dcb990c: 1 created",
        "2 Beats have loaded it: beat-0, beat-1",
        "To go back: schedsync rollback 8dcb990c",
    ]
