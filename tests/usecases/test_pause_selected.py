"""``pause`` and ``resume`` of several schedules: one transaction, kept for schedules that come later."""

from __future__ import annotations

import json
import threading
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.models import ManagedSchedule, Pause, StandingPause, SyncRun
from tests.beat.test_tables import without
from tests.conftest import NOW, Done, Project

SHOP = """\
  sync-acme: {task: t, every: 1m, queue: crm, owner: team-data, labels: {tier: free, region: eu}}
  sync-globex: {task: t, every: 1m, owner: team-data, labels: {tier: gold}}
  sync-off: {task: t, every: 1m, enabled: false, disabled_reason: x, labels: {tier: free}}
  report: {task: t, crontab: '0 2 * * *', owner: team-ops, queue: crm}
"""


@pytest.fixture
def shop(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("GITHUB_ACTOR", "jo")
    project.schedules(SHOP)
    assert project.apply().code == 0
    return project


def pause(project: Project, *words: str, reason: str = "INC-42") -> Done:
    return project.command(
        "pause", *words, "--reason", reason, "--settle", "0", "--database", project.using, "--lock-timeout", "20s"
    )


def resume(project: Project, *words: str) -> Done:
    return project.command("resume", *words, "--database", project.using, "--lock-timeout", "20s")


def running(project: Project) -> set[str]:
    return set(PeriodicTask.objects.using(project.using).filter(enabled=True).values_list("name", flat=True))


def paused(project: Project) -> set[str]:
    return set(Pause.objects.using(project.using).values_list("name", flat=True))


def audit(project: Project, verb: str) -> list[list[dict[str, Any]]]:
    runs = SyncRun.objects.using(project.using).filter(verb=verb).order_by("at", "set")
    return [json.loads(zlib.decompress(bytes(run.changes))) for run in runs]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["sync-*"], {"sync-acme", "sync-globex", "sync-off"}),
        (["report", "sync-a*"], {"report", "sync-acme"}),
        (["--label", "tier=free"], {"sync-acme", "sync-off"}),
        (["--label", "tier=free", "--label", "tier=gold", "sync-[ag]*"], {"sync-acme", "sync-globex"}),
        (["--queue", "crm"], {"sync-acme", "report"}),
        (["--queue", "crm", "--owner", "team-data"], {"sync-acme"}),
        (["--set", "default", "--owner", "team-ops"], {"report"}),
    ],
)
def test_what_is_selected_is_paused_and_runs_again(shop: Project, words: list[str], names: set[str]) -> None:
    before = running(shop)
    done = pause(shop, *words)

    assert (done.code, paused(shop), running(shop)) == (0, names, before - names), done.err
    assert all(f"{name}: paused by jo" in shop.plan().out for name in names)
    assert (shop.plan("--exit-code").code, shop.drift().code) == (0, 0)
    again = resume(shop, *words)
    assert (again.code, paused(shop), running(shop)) == (0, set(), before), again.err
    assert StandingPause.objects.using(shop.using).count() == 0


def test_a_pause_of_several_says_how_many_which_and_until_when(shop: Project, clock: Any) -> None:
    done = pause(shop, "sync-*", "--for", "2h")

    assert done.out.splitlines()[:3] == [
        "Paused 3 schedules (`'sync-*'`) until Mon 23 Nov 12:00 UTC; schedsync's own Beat ends it then. Stock Beat "
        "cannot: the next apply after that lets them run again",
        "  sync-acme, sync-globex, sync-off",
        "Schedules that an apply adds meanwhile, and that fit this too, are paused with them",
    ]
    [run] = audit(shop, "pause")
    assert [change["name"] for change in run] == ["sync-acme", "sync-globex", "sync-off"]
    assert run[0]["selector"] == "'sync-*'"
    assert resume(shop, "sync-*").out.splitlines() == [
        "2 schedules run again",
        "  sync-acme, sync-globex",
        "1 no longer paused, but do not run: Git has disabled or dropped them, or they are completed: sync-off",
        "The pause of `'sync-*'` has ended; schedules added later are not paused",
    ]
    [run] = audit(shop, "resume")
    assert [(change["name"], change["runs"]) for change in run] == [
        ("sync-acme", True), ("sync-globex", True), ("sync-off", False),
    ]  # fmt: skip


def test_a_pause_until_an_instant_ends_then(shop: Project, clock: Any) -> None:
    assert pause(shop, "report", "--until", "2026-11-23T12:30:00+01:00").code == 0
    assert Pause.objects.using(shop.using).get().until == NOW + timedelta(hours=1, minutes=30)


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sink-acme"], "`sink-acme` is not managed hint: did you mean `sync-acme`?"),
        (["by-hand"], "`by-hand` is not managed"),
        (["x*"], "no managed schedule fits `x*`"),
        (["--owner", "team-dta"], "no managed schedule has the owner `team-dta` hint: did you mean `team-data`?"),
        (["--label", "tier=frei"], "has the label `tier=frei` hint: did you mean `tier=free`?"),
        (["--set", "shop"], "no managed schedule belongs to the set `shop`"),
        (["--queue", "crm", "--label", "tier=gold"], "no managed schedule fits all of `--queue crm --label tier=gold`"),
        (["--label", "tier"], "`tier` is no label; write it as `tier=free`"),
        (["--all", "--label", "tier=free", "--for", "1h"], "`--all` and `--label` exclude each other"),
        (["report", "--until", "2026-11-23T10:00:00Z"], "`--until 2026-11-23T10:00:00Z` has passed"),
        (["report", "--until", "2026-11-23T10:00:00"], "has no offset"),
        (["report", "--until", "2026-12-23T10:00:00Z", "--for", "1h"], "`--for` and `--until` exclude each other"),
    ],
)
def test_a_selector_that_fits_nothing_is_wrong_usage(shop: Project, clock: Any, words: list[str], message: str) -> None:
    PeriodicTask.objects.using(shop.using).create(name="by-hand", task="t", interval_id=_interval(shop))
    done = pause(shop, *words)

    assert (done.code, message in " ".join(done.err.split()), paused(shop)) == (64, True, set()), done.err


def _interval(project: Project) -> Any:
    return PeriodicTask.objects.using(project.using).exclude(interval=None).first().interval_id  # type: ignore[union-attr]


def test_two_hundred_take_as_many_statements_as_twenty(project: Project) -> None:
    # On SQLite a statement takes fewer values.
    many = 150 if project.using == "default" else 200

    def statements(size: int) -> tuple[int, int]:
        tenants = ", ".join(f"t{number}" for number in range(size))
        project.schedules(f"  sync-{{t}}: {{task: t, for_each: {{t: [{tenants}]}}, every: 1m}}\n")
        assert project.apply("--allow-stops", "1000").code == 0
        with CaptureQueriesContext(connections[project.using]) as pausing:
            assert pause(project, "sync-*").code == 0
        assert (len(paused(project)), running(project)) == (size, set())
        with CaptureQueriesContext(connections[project.using]) as resuming:
            assert resume(project, "sync-*").code == 0
        assert len(running(project)) == size
        return len(pausing), len(resuming)

    assert statements(20) == statements(many)


def test_what_an_apply_adds_comes_under_a_pause_that_fits(shop: Project, clock: Any) -> None:
    for name in ("sync-taken", "taken"):
        PeriodicTask.objects.using(shop.using).create(name=name, task="t", interval_id=_interval(shop))
    assert pause(shop, "sync-*", "--for", "2h").code == 0
    shop.schedules(
        SHOP.replace("enabled: false, disabled_reason: x, ", "").replace(
            "  report: {", "  sync-report: {renamed_from: report, "
        )
        + "  sync-new: {task: t, every: 1m}\n  other: {task: t, every: 1m}\n"
        "  sync-taken: {task: t, every: 1m, adopt: true}\n  taken: {task: t, every: 1m, adopt: true}\n"
    )
    plan = shop.plan()
    paused_lines = [
        line for line in plan.out.splitlines() if "6 schedules: paused by jo until Mon 23 Nov 12:00" in line
    ]
    assert len(paused_lines) == 1
    assert "sync-new" in paused_lines[0]
    assert shop.apply().code == 0

    added = {"sync-report", "sync-new", "sync-taken"}
    assert paused(shop) == {"sync-acme", "sync-globex", "sync-off"} | added
    assert running(shop) == {"other", "taken"}
    changes = [change for run in audit(shop, "apply") for change in run]
    assert {change["name"] for change in changes if change["kind"] == "pause"} == added
    assert (shop.plan("--exit-code").code, shop.drift().code) == (0, 0)
    clock.move_to(NOW + timedelta(hours=2, minutes=1))
    assert shop.apply().code == 0
    assert (len(running(shop)), paused(shop), StandingPause.objects.using(shop.using).count()) == (8, set(), 0)


def test_a_standing_pause_lifts_no_limit_of_stops_that_the_files_make(shop: Project) -> None:
    for name in ("sync-x", "sync-y"):
        PeriodicTask.objects.using(shop.using).create(name=name, task="t", interval_id=_interval(shop))
    assert pause(shop, "sync-*").code == 0
    taken = [f"  sync-{name}: {{task: t, every: 1m, adopt: true}}\n" for name in "xy"]
    shop.schedules(SHOP + "".join(taken).replace("adopt", "enabled: false, disabled_reason: z, adopt"))
    refused = shop.apply("--allow-stops", "1")

    assert (refused.code, "2 schedules would stop, 1 may" in refused.err) == (3, True)
    shop.schedules(SHOP + "".join(taken))
    assert shop.apply("--allow-stops", "0").code == 0
    assert {"sync-x", "sync-y"} <= paused(shop)


def test_what_the_files_enable_comes_under_a_pause_that_fits(shop: Project) -> None:
    assert pause(shop, "--label", "tier=free").code == 0
    assert resume(shop, "sync-off").code == 0
    shop.schedules(SHOP.replace("enabled: false, disabled_reason: x, ", ""))
    assert shop.apply().code == 0

    assert (paused(shop), "sync-off" in running(shop)) == ({"sync-acme", "sync-off"}, False)
    assert (shop.plan("--exit-code").code, shop.drift().code) == (0, 0)
    assert resume(shop, "--label", "tier=free").code == 0
    assert {"sync-acme", "sync-off"} <= running(shop)


def test_resuming_a_part_leaves_the_pause_for_the_rest_and_for_what_comes(shop: Project) -> None:
    pause(shop, "sync-*")
    done = resume(shop, "sync-acme")
    shop.schedules(SHOP + "  sync-new: {task: t, every: 1m}\n")
    assert shop.apply().code == 0

    assert "The pause of `'sync-*'` goes on for the others, and for schedules that come later" in done.out
    assert paused(shop) == {"sync-globex", "sync-off", "sync-new"}
    # No schedule is left under the pause: it is over.
    assert "`'sync-*'` has ended" in resume(shop, "sync-new", "sync-globex", "sync-off").out
    shop.schedules(SHOP + "  sync-new: {task: t, every: 1m}\n  sync-newer: {task: t, every: 1m}\n")
    assert shop.apply().code == 0
    assert "sync-newer" in running(shop)


def test_a_row_that_was_deleted_by_hand_comes_back_as_it_was_resumed(shop: Project) -> None:
    pause(shop, "sync-*")
    assert resume(shop, "sync-acme").code == 0
    PeriodicTask.objects.using(shop.using).filter(name="sync-acme").delete()
    assert shop.apply().code == 0

    assert "sync-acme" in running(shop)
    assert "sync-acme" not in paused(shop)


def test_names_alone_do_not_stand(shop: Project) -> None:
    done = pause(shop, "sync-acme", "report")

    assert (done.code, StandingPause.objects.using(shop.using).count()) == (0, 0)
    assert "apply adds" not in done.out


def test_a_pause_made_between_plan_and_apply_is_no_surprise(shop: Project) -> None:
    shop.schedules(SHOP + "  sync-new: {task: t, every: 1m}\n")
    checksum = json.loads(shop.plan("--format", "json").out)["checksum"]
    pause(shop, "sync-*")

    assert shop.apply("--checksum", checksum).code == 4
    assert "sync-new" not in running(shop)


def test_a_second_pause_keeps_the_reason_of_the_first_in_the_record(shop: Project, clock: Any) -> None:
    pause(shop, "sync-acme", "--for", "1h", reason="first")
    done = pause(shop, "sync-*", reason="second")

    assert "1 pause from before replaced; the audit record keeps the reason:" in done.out
    assert "sync-acme: paused by jo until Mon 23 Nov 11:00 UTC: first" in done.out
    [change] = [change for run in audit(shop, "pause") for change in run if "replaces" in change]
    assert (change["name"], change["replaces"]["reason"], change["reason"]) == ("sync-acme", "first", "second")
    assert pause(shop, "sync-*", "--for", "3h", reason="third").code == 0
    [standing] = StandingPause.objects.using(shop.using).all()
    assert (standing.reason, standing.until) == ("third", NOW + timedelta(hours=3))


def test_a_pause_of_a_group_shortens_no_longer_pause(shop: Project, clock: Any) -> None:
    assert pause(shop, "sync-acme", reason="long").code == 0
    assert pause(shop, "sync-globex", "--for", "3h", reason="long").code == 0
    done = pause(shop, "sync-*", "--for", "1h")

    assert "2 stay paused for longer: sync-acme, sync-globex" in done.out
    assert "Paused sync-off until" in done.out
    ends = dict(Pause.objects.using(shop.using).values_list("name", "until"))
    hour = timedelta(hours=1)
    assert ends == {"sync-acme": None, "sync-globex": NOW + 3 * hour, "sync-off": NOW + hour}
    # The same selector replaces its own pause, an exact name each one.
    assert pause(shop, "sync-*", "sync-acme", "--for", "2h").code == 0
    assert dict(Pause.objects.using(shop.using).values_list("name", "until"))["sync-acme"] == NOW + 2 * hour
    alone = pause(shop, "--label", "tier=gold", "--for", "5m")
    assert (alone.code, "1 stays paused for longer: sync-globex" in alone.out) == (0, True)
    assert "Paused 0 schedules" in alone.out
    document = json.loads(pause(shop, "--label", "tier=gold", "--for", "6m", "--format", "json").out)
    assert (document["names"], [each["name"] for each in document["kept"]]) == ([], ["sync-globex"])
    assert "--label tier=gold" in {run[0]["selector"] for run in audit(shop, "pause")}


def test_a_glob_leaves_what_a_human_holds_and_a_name_releases_it(shop: Project) -> None:
    PeriodicTask.objects.using(shop.using).filter(name="sync-globex").update(enabled=False)
    assert resume(shop, "sync-*").code == 1
    pause(shop, "sync-*")
    done = resume(shop, "sync-*")

    assert "1 held by a human, and stay so: resume them by name: sync-globex" in done.out
    assert running(shop) == {"sync-acme", "report"}
    assert shop.drift().code == 2
    assert resume(shop, "sync-globex").code == 0
    assert "sync-globex" in running(shop)


def test_a_standing_pause_whose_schedules_are_gone_can_be_ended(shop: Project) -> None:
    pause(shop, "sync-*")
    shop.schedules("  report: {task: t, crontab: '0 2 * * *', owner: team-ops, queue: crm}\n")
    assert shop.apply("--allow-stops", "5").code == 0
    assert StandingPause.objects.using(shop.using).count() == 1
    done = resume(shop, "sync-*")

    assert (done.code, "`'sync-*'` has ended" in done.out) == (0, True)
    assert StandingPause.objects.using(shop.using).count() == 0
    [[change]] = audit(shop, "resume")
    assert (change["ends"]["selector"], change["ends"]["reason"]) == ({"globs": ["sync-*"]}, "INC-42")


def test_a_standing_pause_of_which_some_schedules_are_gone_ends_for_the_others(shop: Project) -> None:
    pause(shop, "sync-*", "rep*")
    shop.schedules("".join(line for line in SHOP.splitlines(keepends=True) if "report" not in line))
    assert shop.apply("--allow-stops", "5").code == 0
    done = resume(shop, "sync-*", "rep*")

    assert (done.code, "2 schedules run again" in done.out) == (0, True)
    assert (running(shop), paused(shop)) == ({"sync-acme", "sync-globex"}, set())
    assert StandingPause.objects.using(shop.using).count() == 0


def test_programs_read_all_names(shop: Project) -> None:
    document = json.loads(pause(shop, "sync-*", "--label", "tier=free", "--format", "json").out)

    assert "name" not in document
    assert (document["names"], document["stands"]) == (["sync-acme", "sync-off"], True)
    assert document["selector"] == {"globs": ["sync-*"], "labels": [["tier", "free"]]}
    document = json.loads(resume(shop, "--label", "tier=free", "--format", "json").out)
    assert (document["running"], document["stopped"]) == (["sync-acme"], ["sync-off"])
    assert [pause["selector"] for pause in document["ended"]] == [{"globs": ["sync-*"], "labels": [["tier", "free"]]}]
    document = json.loads(pause(shop, "report", "--format", "json").out)
    assert (document["name"], document["names"]) == ("report", ["report"])


def test_an_exact_name_wins_over_its_meaning_as_a_glob(project: Project) -> None:
    project.schedules("  'sync-[ab]': {task: t, every: 1m}\n  sync-a: {task: t, every: 1m}\n")
    assert project.apply().code == 0
    assert pause(project, "sync-[ab]").code == 0

    assert (paused(project), running(project)) == ({"sync-[ab]"}, {"sync-a"})
    assert StandingPause.objects.using(project.using).count() == 0


def test_two_people_who_pause_and_resume_the_same_leave_one_of_both(shop: Project) -> None:
    if shop.using == "default":
        pytest.skip("a database in memory has one connection")
    from schedsync.core.pausing import PauseOrder, ResumeOrder
    from schedsync.core.selector import Selector
    from schedsync.database.transaction import WaitOptions
    from schedsync.errors import Failed
    from schedsync.usecases import pause as pausing
    from schedsync.usecases import resume as resuming

    selector, wait, errors = Selector.of(["sync-*"]), WaitOptions(settle=0, lock=60), []
    begin = threading.Barrier(2)

    def work(act: Any) -> None:
        try:
            begin.wait()
            for _ in range(10):
                try:
                    act()
                except Failed:
                    continue  # Nothing is paused: the other one was faster.
        except Exception as error:
            errors.append(error)
        finally:
            connections[shop.using].close()

    acts = [
        lambda: pausing.pause(shop.using, PauseOrder(selector, "x"), wait),
        lambda: resuming.resume(shop.using, ResumeOrder(selector), wait),
    ]
    threads = [threading.Thread(target=work, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    standing = StandingPause.objects.using(shop.using).count()
    enabled = running(shop) & {"sync-acme", "sync-globex"}
    assert (paused(shop), standing, enabled) in [
        ({"sync-acme", "sync-globex", "sync-off"}, 1, set()),
        (set(), 0, {"sync-acme", "sync-globex"}),
    ]
    assert ManagedSchedule.objects.using(shop.using).count() == 4
    assert (shop.plan("--exit-code").code, shop.drift().code) == (0, 0)


def test_a_clock_set_back_over_the_end_of_a_pause_does_not_bring_it_back(shop: Project, clock: Any) -> None:
    pause(shop, "sync-*", "--for", "1h")
    clock.move_to(NOW + timedelta(hours=1, minutes=1))
    assert shop.apply().code == 0
    clock.move_to(NOW + timedelta(minutes=10))
    shop.schedules(SHOP + "  sync-new: {task: t, every: 1m}\n")
    assert shop.apply().code == 0

    assert (paused(shop), running(shop)) == (set(), {"sync-acme", "sync-globex", "sync-new", "report"})


def test_before_the_migration_plans_and_pauses_by_name_work(shop: Project) -> None:
    with without(shop.using, StandingPause):
        shop.schedules(SHOP + "  sync-new: {task: t, every: 1m}\n")
        by_name = pause(shop, "report")
        applied = shop.apply()
        by_glob = pause(shop, "sync-*")
        resumed = resume(shop, "report")

    assert (by_name.code, applied.code, resumed.code) == (0, 0, 0)
    assert (by_glob.code, "is not migrated" in by_glob.err) == (69, True), by_glob.err
    assert "sync-new" in running(shop)
