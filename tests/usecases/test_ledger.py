"""Which set manages a schedule: a set is renamed, schedules move to another set, or nobody manages them any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from schedsync.core.observed import Managed
from schedsync.database.audit import last_binding
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Failed, Refused
from schedsync.models import ApplyLock, ManagedSchedule, Pause, SyncRun
from schedsync.usecases import ledger as usecase
from tests.conftest import Done, Project

SHOP = "".join(f"  sync-{name}: {{task: t, every: 1h}}\n" for name in ("acme", "globex"))
REPORT = "  report: {task: t, crontab: '0 5 * * *'}\n"
BILL = "  bill: {task: t, every: 2h}\n"


class Teams:
    """Two directories whose sets share a database."""

    def __init__(self, project: Project) -> None:
        self.project, self.using = project, project.using
        self.write("shop", SHOP + REPORT)
        self.write("billing", BILL)

    def write(self, directory: str, schedules: str, set_name: str | None = None) -> None:
        environments = 'environments = ["production", "staging"]'
        self.project.write(f'set = "{set_name or directory}"\n{environments}\n', f"{directory}/schedsync.toml")
        self.project.schedules(schedules, f"{directory}/schedules/a.yaml")

    def plan(self, directory: str, *words: str) -> Done:
        where = ["--database", self.using, "--exit-code"]
        return self.project.command("plan", f"{directory}/schedules", *where, *words)

    def apply(self, directory: str, *words: str) -> Done:
        where = ["--database", self.using, "--yes", "--settle", "0"]
        return self.project.command("apply", f"{directory}/schedules", *where, *words)

    def ledger(self, *words: str, yes: bool = True) -> Done:
        return self.project.command("ledger", *words, *(["--yes"] if yes else []), "--database", self.using)

    @property
    def sets(self) -> dict[str, str]:
        return dict(ManagedSchedule.objects.using(self.using).values_list("name", "set"))

    @property
    def rows(self) -> list[Any]:
        return list(PeriodicTask.objects.using(self.using).order_by("pk").values())

    @property
    def written(self) -> tuple[Any, ...]:
        """What a call that writes nothing leaves as it is."""
        runs = SyncRun.objects.using(self.using).count()
        number = ApplyLock.objects.using(self.using).values_list("number", flat=True).get()
        return self.sets, self.rows, runs, number, PeriodicTasks.objects.using(self.using).get().last_update


@pytest.fixture
def teams(project: Project) -> Teams:
    made = Teams(project)
    for directory in ("shop", "billing"):
        done = made.apply(directory)
        assert done.code == 0, done.err
    return made


def test_a_renamed_set_goes_on_under_its_new_name(teams: Teams) -> None:
    rows, last, change = teams.rows, last_binding(teams.using, "shop"), PeriodicTasks.objects.using(teams.using).get()
    done = teams.ledger("rename", "shop", "store")

    assert done.code == 0, done.err
    assert done.out == (
        "Set `shop` is now `store`: 3 schedules\n"
        'Next: write `set = "store"` into schedsync.toml, or below [tool.schedsync] in pyproject.toml\n'
    )
    assert "Set `shop` manages 3 schedules; its name becomes `store`" in done.err
    assert teams.sets == {"sync-acme": "store", "sync-globex": "store", "report": "store", "bill": "billing"}
    refused = teams.plan("shop")
    assert (refused.code, "set `store` manages it" in refused.out) == (3, True)
    teams.write("shop", SHOP + REPORT, "store")
    assert (teams.plan("shop").code, teams.plan("billing").code, teams.rows) == (0, 0, rows)
    assert last is not None
    assert (last_binding(teams.using, "store"), last_binding(teams.using, "shop")) == (last, None)
    assert PeriodicTasks.objects.using(teams.using).get().last_update > change.last_update


def test_the_last_apply_of_a_renamed_set_still_guards_it(teams: Teams) -> None:
    teams.write("shop", SHOP)
    assert teams.apply("shop", "-e", "production", "--allow-move").code == 0
    assert teams.ledger("rename", "shop", "store").code == 0
    assert teams.ledger("rename", "store", "mall").code == 0
    teams.write("shop", SHOP, "mall")
    moved = teams.apply("shop", "-e", "staging")

    assert (moved.code, "set `mall` was last applied to environment `production`" in moved.err) == (3, True)
    assert teams.plan("shop", "-e", "production").code == 0
    teams.write("new", "  new: {task: t, every: 1h}\n", "store")
    assert teams.apply("new", "-e", "staging").code == 0


def test_status_names_a_renamed_set_by_its_new_name(teams: Teams) -> None:
    assert teams.ledger("rename", "shop", "store").code == 0
    done = teams.project.command("status", "--database", teams.using, "--format", "json")

    assert sorted(apply["set"] for apply in json.loads(done.out)["applies"]) == ["billing", "store"]


def test_the_audit_record_says_which_set_was_renamed(teams: Teams) -> None:
    assert teams.ledger("rename", "shop", "store").code == 0
    records = SyncRun.objects.using(teams.using).filter(verb__in=["rename", "renamed"]).order_by("set")

    assert [(run.verb, run.set, json.loads(run.summary)) for run in records] == [
        ("renamed", "shop", {"rename_set": 3}),
        ("rename", "store", {"rename_set": 3}),
    ]
    assert {run.who != "" for run in records} == {True}


def test_no_set_takes_the_name_of_another_set(teams: Teams) -> None:
    before = teams.written
    done = teams.ledger("rename", "shop", "billing")

    assert done.code == 3
    assert "  a set `billing` exists already, and manages 1 schedule  set_exists\n" in done.err
    assert "`schedsync ledger move --set shop --to billing` joins them" in done.err
    assert teams.written == before


def test_the_name_of_an_empty_set_is_free(teams: Teams) -> None:
    teams.write("billing", "  {}\n")
    assert teams.apply("billing", "-e", "staging", "--allow-empty", "--allow-move").code == 0

    assert teams.ledger("rename", "shop", "billing").code == 0
    last = last_binding(teams.using, "billing")
    assert last is not None
    assert (set(teams.sets.values()), last.environment) == ({"billing"}, None)


def test_a_name_may_change_only_in_case(teams: Teams) -> None:
    last = last_binding(teams.using, "shop")
    assert teams.ledger("rename", "shop", "Shop").code == 0
    teams.write("shop", SHOP + REPORT, "Shop")

    assert (teams.sets["report"], last_binding(teams.using, "Shop")) == ("Shop", last)
    assert (teams.plan("shop").code, last is None) == (0, False)


def test_a_moved_schedule_leaves_both_plans_empty(teams: Teams) -> None:
    rows = teams.rows
    done = teams.ledger("move", "sync-*", "--to", "billing")

    assert done.code == 0, done.err
    assert done.out == (
        "Moved 2 schedules to set `billing`\n"
        "Next: move the definitions to the files of `billing`; then no plan has a change\n"
    )
    assert "2 schedules of `shop` will belong to set `billing`, which manages 1 already: sync-acme, sync-globex" in (
        done.err
    )
    assert "Defined in shop/schedules/a.yaml (2)\n" in done.err
    assert teams.sets == {"sync-acme": "billing", "sync-globex": "billing", "report": "shop", "bill": "billing"}
    assert teams.plan("shop").code == 3
    teams.write("shop", REPORT)
    teams.write("billing", SHOP + BILL)
    assert [teams.plan(directory).code for directory in ("shop", "billing")] == [0, 0]
    assert [teams.apply(directory).code for directory in ("shop", "billing")] == [0, 0]
    assert teams.rows == rows


def test_a_whole_set_moves_to_a_new_one(teams: Teams) -> None:
    done = teams.ledger("move", "--set", "shop", "--to", "mall", "--format", "json")

    assert json.loads(done.out) == {
        "version": 1,
        "verb": "move",
        "to": "mall",
        "schedules": [{"name": name, "set": "shop"} for name in ("report", "sync-acme", "sync-globex")],
    }
    assert "which manages nothing yet" in done.err
    assert teams.sets["bill"] == "billing"
    records = SyncRun.objects.using(teams.using).filter(verb="move").order_by("set")
    assert [(run.set, json.loads(run.summary)) for run in records] == [("mall", {"move": 3}), ("shop", {"move": 3})]


def test_a_move_of_all_leaves_out_what_the_set_manages_already(teams: Teams) -> None:
    done = teams.ledger("move", "--all", "--to", "billing")

    assert done.out.startswith("Moved 3 schedules to set `billing`\n")
    assert set(teams.sets.values()) == {"billing"}
    before = teams.written
    again = teams.ledger("move", "--all", "--to", "billing")
    assert (again.code, again.out) == (0, "Nothing to move: set `billing` manages them already\n")
    assert teams.written == before
    assert teams.ledger("rename", "billing", "billing").out == (
        "Nothing to rename: the set's name is `billing` already\n"
    )
    assert teams.written == before


def test_a_released_row_stays_and_is_managed_again_only_by_adoption(teams: Teams) -> None:
    rows = teams.rows
    done = teams.ledger("release", "sync-acme", "rep*")

    assert done.code == 0, done.err
    assert done.out == (
        "Released 2 schedules: nobody manages their rows\n"
        "Next: delete the definitions, too; files that keep them are refused, or adopt again where they say `adopt`\n"
    )
    assert "2 schedules of `shop` will be managed by nobody: report, sync-acme" in done.err
    assert (teams.sets, teams.rows) == ({"sync-globex": "shop", "bill": "billing"}, rows)
    refused = teams.plan("shop")
    assert (refused.code, "a row `report` exists already, and no set manages it" in refused.out) == (3, True)
    adopted = teams.apply("shop", "--adopt-all")
    assert (adopted.code, ": 2 adopted" in adopted.out, teams.rows) == (0, True, rows)
    assert teams.ledger("release", "sync-acme", "report").code == 0
    teams.write("shop", "  sync-globex: {task: t, every: 1h}\n")
    assert (teams.plan("shop").code, teams.rows) == (0, rows)


def test_all_of_all_sets_is_released(teams: Teams) -> None:
    rows = teams.rows
    assert teams.ledger("release", "--set", "billing").code == 0
    assert "bill" not in teams.sets
    assert teams.apply("billing", "--adopt-all").code == 0
    done = teams.ledger("release", "--all", "--format", "json")

    assert "4 schedules (1 of `billing`, 3 of `shop`) will be managed by nobody" in done.err
    assert [each["name"] for each in json.loads(done.out)["schedules"]] == [
        "bill",
        "report",
        "sync-acme",
        "sync-globex",
    ]
    assert (teams.sets, teams.rows) == ({}, rows)
    records = SyncRun.objects.using(teams.using).filter(verb="release").order_by("at", "set")
    assert sorted((run.set, json.loads(run.summary)["release"]) for run in records) == [
        ("billing", 1), ("billing", 1), ("shop", 3),
    ]  # fmt: skip
    before = teams.written
    again = teams.ledger("release", "--all")
    assert (again.code, again.out) == (0, "No set manages a schedule in this database\n")
    assert teams.ledger("move", "--all", "--to", "x").out == "No set manages a schedule in this database\n"
    assert teams.written == before


def test_the_pause_of_a_released_schedule_ends_and_its_row_stays_disabled(teams: Teams) -> None:
    pause = ["--reason", "INC-42", "--settle", "0", "--database", teams.using]
    for name in ("report", "bill"):
        assert teams.project.command("pause", name, *pause).code == 0
    done = teams.ledger("release", "--set", "shop")

    assert "1 is paused: report. The pause ends and the row stays disabled" in done.err
    assert list(Pause.objects.using(teams.using).values_list("name", flat=True)) == ["bill"]
    assert not PeriodicTask.objects.using(teams.using).get(name="report").enabled


def test_pauses_go_on_in_a_renamed_set_and_in_another_one(teams: Teams) -> None:
    pause = ["--reason", "INC-42", "--settle", "0", "--database", teams.using]
    assert teams.project.command("pause", "report", *pause).code == 0
    assert teams.ledger("rename", "shop", "store").code == 0
    assert teams.ledger("move", "report", "--to", "billing").code == 0
    teams.write("billing", BILL + REPORT)

    assert teams.plan("billing").code == 0
    assert teams.project.command("resume", "report", "--database", teams.using).code == 0
    assert PeriodicTask.objects.using(teams.using).get(name="report").enabled


def test_a_release_names_what_only_our_beat_reads(teams: Teams) -> None:
    teams.write(
        "shop", "  sync-acme: {task: t, every: 1h, missed_runs: none}\n" + REPORT + "  z: {task: t, every: 1h}\n"
    )
    assert teams.apply("shop", "--allow-stops", "1").code == 0
    done = teams.ledger("release", "--all")

    lost = "`missed_runs`, `starting_deadline`, `delivery` and `overlap`"
    assert f"1 schedule loses {lost}, which no row can hold: sync-acme" in done.err


def test_an_entry_without_its_row_is_released_too(teams: Teams) -> None:
    PeriodicTask.objects.using(teams.using).filter(name="report").delete()

    assert teams.ledger("release", "report").code == 0
    assert "report" not in teams.sets


WRONG = {
    "no such set": (["rename", "shpo", "x"], "no schedule belongs to a set `shpo`", "did you mean `shop`?"),
    "no such name": (["release", "sync-acne"], "`sync-acne` is not managed", "did you mean `sync-acme`?"),
    "no name fits": (["release", "x-*", "y", "bill"], "`x-*`, `y` are not managed", "a glob in quotes"),
    "a name of another set": (["release", "bill", "--set", "shop"], "`bill` is not managed", ""),
    "no such set to choose from": (["move", "--set", "bil", "--to", "x"], "no schedule belongs to a set `bil`", ""),
    "nothing": (["release"], "no schedule is named", "or `--all`"),
    "all and names": (["release", "bill", "--all"], "`--all` means all schedules of all sets", ""),
    "all and a set": (["move", "--all", "--set", "shop", "--to", "x"], "`--all` means all schedules", ""),
    "an empty name": (["rename", "shop", " "], "the name of a set takes printable characters", ""),
    "a long name": (["move", "bill", "--to", "x" * 101], "the name of a set takes at most 100 characters", ""),
}


@pytest.mark.one_database
@pytest.mark.parametrize("case", WRONG)
def test_used_wrongly_nothing_is_written(teams: Teams, case: str) -> None:
    words, message, hint = WRONG[case]
    before = teams.written
    done = teams.ledger(*words)

    assert (done.code, message in done.err, hint in done.err) == (64, True, True), done.err
    assert teams.written == before


CALLS = [["rename", "shop", "store"], ["move", "report", "--to", "billing"], ["release", "report"]]


@pytest.mark.parametrize("words", CALLS)
def test_in_a_bound_database_another_environment_is_refused(teams: Teams, words: list[str]) -> None:
    assert teams.ledger("bind", "-e", "production").code == 0
    before = teams.written
    for environment in ([], ["-e", "staging"]):
        refused = teams.ledger(*words, *environment)
        assert (refused.code, "wrong_environment" in refused.err) == (3, True)

    assert teams.written == before
    assert teams.ledger(*words, "-e", "production").code == 0


def apply_to_production(teams: Teams) -> None:
    teams.write("shop", SHOP + REPORT.replace("0 5", "0 6"))
    done = teams.apply("shop", "-e", "production", "--allow-move")
    assert done.code == 0, done.err


@pytest.mark.one_database
@pytest.mark.parametrize("words", [*CALLS, ["move", "bill", "--to", "shop"], ["release", "--all"]])
def test_a_set_that_was_last_applied_to_another_environment_is_refused(teams: Teams, words: list[str]) -> None:
    apply_to_production(teams)
    before = teams.written
    refused = teams.ledger(*words, "-e", "staging")

    assert refused.code == 3
    assert (
        "  set `shop` was last applied to environment `production`, this is `staging`  other_environment\n"
        "  hint: give the `--database` of that environment, or the right `-e`\n"
    ) in refused.err
    assert teams.written == before
    assert teams.ledger(*words, "-e", "production").code == 0


def test_an_apply_to_another_environment_while_the_call_waits_is_seen(teams: Teams) -> None:
    chosen = usecase.choose(teams.using, ["report"], None)
    wait = WaitOptions(lock=5, sleep=lambda _: None)
    checked = usecase.check_allowed

    def apply_after(using: str, sets: Any, environment: str | None) -> None:
        checked(using, sets, environment)
        apply_to_production(teams)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usecase, "check_allowed", apply_after)
        with pytest.raises(Refused) as caught:
            usecase.release(teams.using, chosen, wait, "staging")
    assert [refusal.code for refusal in caught.value.refusals] == ["other_environment"]
    assert "report" in teams.sets


@pytest.mark.parametrize("words", CALLS)
def test_a_set_that_the_settings_do_not_allow_is_refused(teams: Teams, settings: Any, words: list[str]) -> None:
    settings.SCHEDSYNC_ALLOWED_SETS = ["billing", "store"]
    before = teams.written
    done = teams.ledger(*words)

    assert (done.code, "set `shop` must not be changed from here" in done.err) == (3, True)
    assert teams.written == before


@pytest.mark.parametrize("words", CALLS)
def test_without_a_terminal_nobody_can_be_asked(teams: Teams, words: list[str]) -> None:
    before = teams.written
    done = teams.ledger(*words, yes=False)

    assert (done.code, "there is no terminal to ask on" in done.err) == (64, True)
    assert teams.written == before


@pytest.mark.one_database
@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize("words", CALLS)
def test_on_a_terminal_the_call_says_what_it_does_and_asks(
    teams: Teams, monkeypatch: pytest.MonkeyPatch, words: list[str], answer: bool
) -> None:
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_words, **_options: answer)
    before = teams.written
    done = teams.ledger(*words, yes=False)

    assert (done.code, teams.written == before) == (0 if answer else 1, not answer)
    assert ("nothing was written" in done.err) is not answer


@pytest.fixture
def busy(teams: Teams) -> Iterator[None]:
    """Another connection holds the apply lock."""
    if teams.using == "default" and str(connections[teams.using].settings_dict["NAME"]).startswith("file:memory"):
        pytest.skip("a database in memory has one connection")
    other = connections[teams.using].copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE schedsync_applylock SET holder = 'other'")
    yield
    other.close()


@pytest.mark.parametrize("words", CALLS)
def test_a_running_apply_is_not_disturbed(teams: Teams, busy: None, words: list[str]) -> None:
    done = teams.ledger(*words)

    assert (done.code, "--lock-timeout 60s" in done.err) == (5, True)
    assert "store" not in teams.sets.values()


def test_what_changed_since_it_was_shown_is_not_written(teams: Teams) -> None:
    chosen = usecase.choose(teams.using, ["report", "bill"], None)
    assert teams.ledger("move", "report", "--to", "third").code == 0
    before, changed = teams.written, "the ledger has changed meanwhile, nothing was written: `report`"
    with pytest.raises(Failed, match=changed):
        usecase.move(teams.using, chosen, "fourth", WaitOptions())
    with pytest.raises(Failed, match=changed):
        usecase.release(teams.using, chosen, WaitOptions())

    assert teams.written == before


def test_a_name_is_taken_behind_the_lock_too(teams: Teams) -> None:
    before = teams.written
    with pytest.raises(Refused, match="refused"):
        usecase.rename(teams.using, "shop", "billing", WaitOptions())

    assert teams.written == before


@pytest.mark.parametrize("words", [["rename", "shop", "store"], ["move", "--all", "--to", "x"], ["release", "--all"]])
def test_the_number_of_statements_does_not_grow(project: Project, words: list[str]) -> None:
    counts = []
    # SQLite takes 199 rows of the history's names in one statement.
    for size in (3, 150):
        made = Teams(project)
        made.write("shop", "".join(f"  s{number}: {{task: t, every: 1h}}\n" for number in range(size)))
        assert made.apply("shop", "--adopt-all", "--adopt-from", "x").code == 0
        with CaptureQueriesContext(connections[project.using]) as queries:
            assert made.ledger(*words).code == 0
        counts.append(len(queries))
        ManagedSchedule.objects.using(project.using).all().delete()

    assert counts[0] == counts[1] < 60


def test_names_with_signs_of_globs_are_names_first() -> None:
    entries = [Managed(name, "shop", None, "{}") for name in ("a[1]", "a1", "b")]

    assert [entry.name for entry in usecase._matching(entries, ["a[1]"])] == ["a[1]", "a1"]
    assert [entry.name for entry in usecase._matching(entries, ["b", "a?"])] == ["a1", "b"]
