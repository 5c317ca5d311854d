"""A database belongs to an environment: which apply binds it, and what is refused in it."""

from __future__ import annotations

import uuid

import pytest
from django.core.exceptions import ImproperlyConfigured

from schedsync.database.clock import DatabaseNow
from schedsync.database.environment import binding_of, named_environment
from schedsync.database.server import Server, changes, server_of
from schedsync.models import Beat, BeatReport, EnvironmentBinding, SyncRun
from tests.beat.test_tables import without
from tests.conftest import Done, Project

ONE = "  one: {task: t, every: 1m}\n"
TWO = ONE + "  two: {task: t, every: 1m}\n"


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with two environments."""
    project.write('environments = ["staging", "production"]\n', "schedsync.toml")
    project.schedules(ONE)
    return project


def live(using: str, environment: str | None, pid: int = 7, *, reports: bool = True) -> None:
    """Let a Beat be alive that names an environment, or none, or is of a version that reports none."""
    beat = Beat.objects.using(using).create(
        id=uuid.uuid4(), host="beat", pid=pid, election="database", started_at=DatabaseNow(), seen_at=DatabaseNow()
    )
    if reports:
        BeatReport.objects.using(using).create(beat=beat.pk, name=f"beat:{pid}", environment=environment)


def bound(using: str) -> str | None:
    row = binding_of(using)
    return None if row is None else row.environment


def ledger(project: Project, *words: str) -> Done:
    return project.command("ledger", "bind", "--database", project.using, *words)


def test_the_first_apply_binds_if_every_live_beat_names_its_environment(shop: Project) -> None:
    live(shop.using, "production", 1)
    live(shop.using, "production", 2)
    done = shop.apply("-e", "production")

    assert done.code == 0, done.err
    assert bound(shop.using) == "production"
    assert "this database is bound to `production` from now on" in done.err
    record = SyncRun.objects.using(shop.using).get(verb="bind")
    assert (record.environment, record.set, bool(record.who)) == ("production", "", True)


def test_an_apply_that_changes_nothing_binds_too(shop: Project) -> None:
    assert shop.apply("-e", "production").code == 0
    assert bound(shop.using) is None
    live(shop.using, "production")

    assert shop.apply("-e", "production").code == 0
    assert bound(shop.using) == "production"


@pytest.mark.parametrize(("named", "reports"), [(None, True), ("staging", True), (None, False)])
def test_a_live_beat_that_names_something_else_is_said_and_nothing_is_bound(
    shop: Project, named: str | None, reports: bool
) -> None:
    live(shop.using, "production", 1)
    live(shop.using, named, 2, reports=reports)
    done = shop.apply("-e", "production")

    assert (done.code, bound(shop.using)) == (0, None)
    assert "is not bound to `production` yet: set SCHEDSYNC_ENVIRONMENT = production for Beat beat:2" in done.err


def test_without_a_live_beat_nothing_is_bound_and_nothing_said(shop: Project) -> None:
    done = shop.apply("-e", "production")

    assert (done.code, bound(shop.using), "bound" in done.err) == (0, None, False)


def test_an_apply_without_an_environment_binds_nothing(project: Project) -> None:
    live(project.using, "production")
    project.schedules(ONE)

    assert project.apply().code == 0
    assert bound(project.using) is None


@pytest.mark.parametrize("words", [["-e", "staging"], []])
def test_in_a_bound_database_another_environment_is_refused(shop: Project, words: list[str]) -> None:
    assert ledger(shop, "-e", "production", "--yes").code == 0
    planned, applied = shop.plan(*words), shop.apply(*words)

    assert (planned.code, applied.code) == (3, 3)
    assert "  this database belongs to the environment `production`" in applied.err
    assert "schedsync ledger bind -e" in applied.err
    assert "one" in applied.out
    assert not SyncRun.objects.using(shop.using).filter(verb="apply").exists()
    assert shop.apply("-e", "production").code == 0


def test_pause_and_resume_may_name_the_environment_and_no_other(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ledger(shop, "-e", "production", "--yes").code == 0
    assert shop.apply("-e", "production").code == 0
    for words in (["pause", "one", "--reason", "r", "--settle", "0"], ["resume", "one"]):
        words = [*words, "--database", shop.using]
        refused = shop.command(*words, "-e", "staging")
        assert (refused.code, "wrong_environment" in refused.err) == (3, True)
        assert shop.command(*words, "-e", "production").code == 0
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_ENVIRONMENT", "staging", raising=False)
    everything = ["pause", "--all", "--for", "1h", "--reason", "r", "--database", shop.using]
    assert shop.command("pause", "one", "--reason", "r", "--settle", "0", "--database", shop.using).code == 3
    assert shop.command(*everything).code == 3
    assert shop.command(*everything, "-e", "production").code == 0
    assert shop.command("resume", "--all", "--database", shop.using).code == 3
    assert shop.command("resume", "--all", "--database", shop.using, "-e", "production").code == 0


def test_somebody_who_names_no_environment_may_stop_a_schedule(shop: Project) -> None:
    assert ledger(shop, "-e", "production", "--yes").code == 0
    assert shop.apply("-e", "production").code == 0

    assert shop.command("pause", "one", "--reason", "r", "--settle", "0", "--database", shop.using).code == 0
    assert shop.command("pause", "--all", "--for", "1h", "--reason", "r", "--database", shop.using).code == 0


def test_the_setting_of_django_names_the_environment_of_an_apply(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_ENVIRONMENT", "production", raising=False)
    assert shop.apply().code == 0

    assert SyncRun.objects.using(shop.using).get().environment == "production"
    monkeypatch.setenv("SCHEDSYNC_ENVIRONMENT", "staging")
    assert named_environment() == "staging"


def test_a_setting_that_is_no_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_ENVIRONMENT", 7, raising=False)

    with pytest.raises(ImproperlyConfigured, match="not 7"):
        named_environment()


def test_ledger_bind_says_what_stops_and_binds(shop: Project) -> None:
    live(shop.using, "staging", 1)
    live(shop.using, "production", 2)
    assert shop.apply().code == 0
    done = ledger(shop, "-e", "production", "--yes")

    assert (done.code, done.out) == (0, "This database belongs to `production`\n")
    assert "bound to no environment; it has 1 enabled schedule" in done.err
    assert "Beats that stop sending: beat:1 (names `staging`)" in done.err
    again = ledger(shop, "-e", "production", "--yes")
    assert (again.code, again.err) == (0, "")
    assert ledger(shop, "--none", "--yes").out == "This database is bound to no environment\n"
    assert bound(shop.using) is None
    names = SyncRun.objects.using(shop.using).filter(verb="bind").order_by("at").values_list("environment", flat=True)
    assert list(names) == ["production", None]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-e", "production"], "there is no terminal to ask on"),
        (["--yes"], "no environment is named"),
        (["--none", "-e", "production", "--yes"], "an environment was given, and that there is none"),
    ],
)
def test_ledger_bind_used_wrongly(shop: Project, words: list[str], message: str) -> None:
    done = ledger(shop, *words)

    assert (done.code, message in done.err) == (64, True), done.err
    assert bound(shop.using) is None


@pytest.mark.parametrize("answer", [True, False])
def test_ledger_bind_asks_on_a_terminal(shop: Project, monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_words, **_options: answer)
    done = ledger(shop, "-e", "production")

    assert (done.code, bound(shop.using)) == ((0, "production") if answer else (1, None))


def test_before_the_migration_everything_works_and_bind_says_what_is_missing(shop: Project) -> None:
    live(shop.using, "production")
    with without(shop.using, EnvironmentBinding):
        assert shop.apply("-e", "production").code == 0
        done = ledger(shop, "-e", "production", "--yes")

    assert (done.code, "python manage.py migrate" in done.err) == (69, True), done.err


def test_an_apply_that_is_refused_binds_nothing(shop: Project) -> None:
    shop.schedules(TWO)
    live(shop.using, "production")
    assert shop.apply("-e", "production", "--checksum", "sha256:0").code == 4

    assert bound(shop.using) is None


def test_the_server_is_recorded_as_far_as_it_tells(shop: Project) -> None:
    assert ledger(shop, "-e", "production", "--yes").code == 0
    row = EnvironmentBinding.objects.using(shop.using).get()

    assert Server(row.server_id, row.host) == server_of(shop.using)
    assert (row.server_id != "" or row.host != "") is (shop.using != "default")


def test_only_what_both_servers_tell_is_compared() -> None:
    assert changes(Server("1", ""), Server("2", "db")) == ["identifier 1 -> 2"]
    assert changes(Server("", "a"), Server("2", "b")) == ["host a -> b"]
    assert changes(Server("1", "a"), Server("1", "a")) == []


def findings(project: Project) -> dict[str, str]:
    done = project.command("doctor", "--database", project.using, "--format", "github")
    return {code: line for line in done.out.splitlines() for code in ("SS340", "SS341") if code in line}


def test_doctor_names_the_environment_and_a_server_that_changed(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ledger(shop, "-e", "production", "--yes").code == 0
    assert list(findings(shop)) == ["SS340"]
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_ENVIRONMENT", "production", raising=False)
    assert findings(shop) == {}
    EnvironmentBinding.objects.using(shop.using).update(server_id="other", host="other")

    assert list(findings(shop)) == (["SS341"] if shop.using != "default" else [])
    assert ledger(shop, "-e", "production", "--yes").code == 0
    assert findings(shop) == {}


def test_doctor_fixes_nothing_in_a_database_of_another_environment(shop: Project) -> None:
    assert ledger(shop, "-e", "production", "--yes").code == 0
    done = shop.command("doctor", "--fix", "--database", shop.using)

    assert (done.code, "wrong_environment" in done.err) == (3, True)
