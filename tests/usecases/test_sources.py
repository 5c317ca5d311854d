"""Functions of the application give the values of a `for_each`: in plan and apply, and through a snapshot elsewhere."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django_celery_beat.models import PeriodicTask

from schedsync.schemas.validator import SNAPSHOT, problems
from tests.acceptance.shop import Shop, shop
from tests.conftest import Project

SYNC = "  'sync-{tenant}': {task: shop.sync, every: 1h, args: ['{tenant}'], for_each: {tenant: {source: tenants}}}\n"
PATH = f"{__name__}.active"
TENANTS: list[Any] = []
CALLS: list[str] = []


def active() -> Iterator[Any]:
    """The source of these tests."""
    CALLS.append("active")
    yield from TENANTS


def offline() -> list[str]:
    CALLS.append("offline")
    raise ConnectionError("no route to postgresql://shop:hunter22@db/shop")


def exits() -> list[str]:
    sys.exit("tenants are configured elsewhere")


def line_of(function: Callable[[], object]) -> int:
    """Return the number of a function's last line, in which it fails."""
    lines, first = inspect.getsourcelines(function)
    return first + len(lines) - 1


FAILED = "the source `tenants` failed: tests/usecases/test_sources.py"


@pytest.fixture(autouse=True)
def tenants(settings: Any) -> Iterator[None]:
    """Three tenants, a source that gives them, and the task."""

    def sync(tenant: str) -> None: ...

    current_app.task(name="shop.sync", shared=False)(sync)
    current_app.finalize(auto=True)
    settings.SCHEDSYNC_SOURCES = {"tenants": PATH, "offline": f"{__name__}.offline"}
    TENANTS[:] = ["globex", "acme", "hooli"]
    CALLS.clear()
    yield
    current_app.tasks.pop("shop.sync", None)


def names(using: str) -> list[str]:
    return sorted(PeriodicTask.objects.using(using).values_list("name", flat=True))


def test_one_tenant_more_and_one_less_are_shown_by_name(project: Project) -> None:
    project.schedules(SYNC)
    assert project.apply().code == 0
    assert names(project.using) == ["sync-acme", "sync-globex", "sync-hooli"]
    assert project.plan("--exit-code").code == 0

    TENANTS[:] = ["hooli", "acme", "initech"]
    said = json.loads(project.plan("--format", "json").out)
    assert [(change["kind"], change["name"]) for change in said["changes"]] == [
        ("delete", "sync-globex"),
        ("create", "sync-initech"),
    ]
    assert project.apply().code == 0
    assert names(project.using) == ["sync-acme", "sync-hooli", "sync-initech"]


def test_a_plan_calls_only_the_sources_of_its_files_and_each_once(project: Project) -> None:
    project.schedules(SYNC + SYNC.replace("sync-", "mail-"))
    project.schedules(SYNC.replace("sync-", "more-"), "schedules/more.yaml")

    assert project.plan().code == 0
    assert CALLS == ["active"]


def test_the_limits_for_stops_hold_for_tenants(project: Project) -> None:
    TENANTS[:] = range(1, 11)
    project.schedules(SYNC)
    project.apply()
    TENANTS[:] = [1]
    done = project.apply()

    assert (done.code, "  too_many_stops\n" in done.err) == (3, True), done.err
    assert len(names(project.using)) == 10


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "the source `tenants` gives no value"),
        ([None], "the source `tenants` gives a value of the type `NoneType`"),
        (["acme", "***"], "the source `tenants` gives the value `***`"),
        (["a\nb"], "a name with the control character U+000A"),
    ],
)
def test_a_source_without_good_values_stops_plan_and_apply(project: Project, values: list[Any], message: str) -> None:
    project.schedules(SYNC)
    project.apply()
    TENANTS[:] = values

    for done in (project.plan(), project.apply("--allow-empty", "--allow-stops", "9"), project.drift()):
        assert (done.code, message in done.out + done.err) == (1, True), done
        assert "1 error in the files, nothing was compared or written" in done.err
    assert len(names(project.using)) == 3


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("offline", f"{FAILED}:{line_of(offline)}: ConnectionError: ***"),
        ("exits", f"{FAILED}:{line_of(exits)}: SystemExit: tenants are configured elsewhere"),
        ("nowhere", "the source `tenants` failed: ImportError: "),
        ("TENANTS", "the source `tenants` failed: TypeError: 'list' object is not callable"),
    ],
)
def test_a_source_that_fails_is_named_with_its_place(
    project: Project, settings: Any, function: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    settings.SCHEDSYNC_SOURCES = {"tenants": f"{__name__}.{function}"}
    project.schedules(SYNC)
    done = project.plan()

    assert (
        done.code,
        f"schedules/shop.yaml:3:97: error  SS152  sync-{{tenant}}: {message}" in done.out + done.err,
    ) == (1, True), done
    assert (
        f"hint: `SCHEDSYNC_SOURCES` names its function `{__name__}.{function}`; correct it there" in done.out + done.err
    )
    assert "hunter22" not in done.out + done.err


@pytest.mark.one_database
def test_an_unknown_source_has_a_hint(project: Project, settings: Any) -> None:
    project.schedules(SYNC.replace("source: tenants", "source: tenats"))
    near = project.plan()
    settings.SCHEDSYNC_SOURCES = {"customers": PATH}
    far = project.plan()
    del settings.SCHEDSYNC_SOURCES
    none = project.plan()

    for done, hint in (
        (near, "did you mean `tenants`?"),
        (far, "it names customers"),
        (none, "add it to `SCHEDSYNC_SOURCES` in Django's settings"),
    ):
        assert done.code == 1
        assert "SS152  sync-{tenant}: `SCHEDSYNC_SOURCES` has no source `tenats`" in done.out + done.err
        assert f"  hint: {hint}\n" in done.out + done.err
    assert CALLS == []


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["shop.tenants.active"], "`SCHEDSYNC_SOURCES` takes a dictionary, not ['shop.tenants.active']"),
        ({"tenants": active}, "`SCHEDSYNC_SOURCES['tenants']` takes the path of a function as text, not <function"),
        ({"tenants": "active"}, "`SCHEDSYNC_SOURCES['tenants']` takes the path of a function as text, not 'active'"),
        ({1: PATH}, "`SCHEDSYNC_SOURCES` takes the names of sources as keys, not 1"),
    ],
)
def test_an_invalid_setting_is_wrong_usage_and_doctor_finds_it(
    project: Project, settings: Any, value: Any, message: str
) -> None:
    settings.SCHEDSYNC_SOURCES = value
    project.schedules("  a: {task: t, every: 1h}\n")
    done = project.plan()
    doctor = project.command("doctor", "--database", project.using)

    assert (done.code, message in done.err) == (64, True), done.err
    assert f"SS174  {message}" in doctor.out


def test_a_snapshot_makes_the_same_plan(project: Project, clock: Any) -> None:
    project.schedules(SYNC)
    project.apply()
    TENANTS[:] = ["acme", 7, "hooli"]
    taken = project.command("snapshot", "--database", project.using, "--out", "snapshot.json")
    document = json.loads((project.root / "snapshot.json").read_text())
    live = json.loads(project.plan("--format", "json").out)
    TENANTS.clear()
    CALLS.clear()
    against = project.command("plan", "schedules", "--against", "snapshot.json", "--format", "json")

    assert list(problems(document, SNAPSHOT)) == []
    assert document["sources"]["tenants"] == {"values": [7, "acme", "hooli"]}
    assert json.loads(against.out)["changes"] == live["changes"]
    assert json.loads(against.out)["checksum"] == live["checksum"]
    assert CALLS == []
    assert taken.err.splitlines() == [
        f"warning: {FAILED.replace('tenants', 'offline')}:{line_of(offline)}: ConnectionError: ***; "
        "a plan with this snapshot will fail if its files use the source",
        "wrote snapshot.json",
    ]


@pytest.mark.one_database
def test_what_a_snapshot_does_not_hold_stops_a_plan(project: Project) -> None:
    project.schedules(SYNC.replace("source: tenants", "source: offline"))
    project.command("snapshot", "--database", project.using, "--out", "snapshot.json")
    failed = project.command("plan", "schedules", "--against", "snapshot.json")
    document = json.loads((project.root / "snapshot.json").read_text())
    del document["sources"]
    project.write(json.dumps(document), "snapshot.json")
    missing = project.command("plan", "schedules", "--against", "snapshot.json")

    assert (failed.code, missing.code) == (1, 1)
    assert "SS152  sync-{tenant}: the source `offline` failed: " in failed.out + failed.err
    assert "SS152  sync-{tenant}: the snapshot has no source `offline`" in missing.out + missing.err


@pytest.mark.one_database
def test_validate_and_forecast_say_what_they_cannot_expand(project: Project) -> None:
    project.schedules(SYNC + "  other: {task: shop.sync, every: 2h, args: [x]}\n")
    project.command("snapshot", "--database", project.using, "--out", "snapshot.json")
    alone = project.validate()
    strict = project.validate("--strict")
    known = project.validate("--against", "snapshot.json", "--strict")
    forecast = project.command("forecast", "schedules")
    forecast_known = project.command("forecast", "schedules", "--against", "snapshot.json", "--format", "json")

    message = "`sync-{tenant}` is not expanded: only the application knows the values of `tenants`"
    assert (alone.code, strict.code, known.code) == (0, 1, 0), known
    assert alone.out.splitlines() == [
        f"schedules/shop.yaml:3:3: warning  SS153  {message}",
        "  hint: give `--against FILE`, a snapshot that was taken in this environment",
    ]
    assert known.err == "No findings · 4 schedules in 1 file\n"
    assert (forecast.code, f"SS153  {message}" in forecast.out + forecast.err) == (1, True)
    assert [each["name"] for each in json.loads(forecast_known.out)["schedules"]] == [
        "other", "sync-acme", "sync-globex", "sync-hooli",
    ]  # fmt: skip


MODELS = """
from django.db import models

class Tenant(models.Model):
    name = models.CharField(max_length=50)
    region = models.CharField(max_length=2)
    is_active = models.BooleanField(default=True)

def _in(region):
    return Tenant.objects.filter(region=region, is_active=True).values_list("name", flat=True)

def eu():
    return _in("eu")

def us():
    return _in("us")
"""
SETTINGS = """
from shop.settings import *

INSTALLED_APPS += ["customers"]
SCHEDSYNC_SOURCES = {"eu": "customers.models.eu", "us": "customers.models.us"}
"""
TWO_REGIONS = """version: 1
schedules:
  sync-{tenant}:
    task: shop.tasks.heartbeat
    crontab: "H/15 * * * *"
    for_each: {tenant: {source: eu}}
    environments:
      us: {for_each: {tenant: {source: us}}}
"""


@dataclass(frozen=True)
class Regions:
    """A project with a model of tenants, and the table of the last two regions."""

    shop: Shop

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = self.shop.python(*words)
        assert done.returncode == 0, done.stderr
        return done

    def tenants(self, statement: str) -> None:
        setup = "import django; django.setup(); from customers.models import Tenant; "
        self.python("-c", setup + statement)

    def changes(self, environment: str) -> list[tuple[str, str]]:
        done = self.shop.run("plan", "--environment", environment, "--format", "json")
        assert done.returncode == 0, done.stderr
        return [(change["kind"], change["name"]) for change in json.loads(done.stdout)["changes"]]


@pytest.fixture
def regions(tmp_path: Path, django_db_blocker: Any) -> Iterator[Regions]:
    """A Django project of its own, whose tenants are rows of a table."""
    with django_db_blocker.unblock(), shop("default", "filesystem://", tmp_path) as made:
        made.environment["DJANGO_SETTINGS_MODULE"] = "regions"
        made.write(SETTINGS, "regions.py")
        made.write("", "customers/__init__.py")
        made.write(MODELS, "customers/models.py")
        made.write('environments = ["eu", "us"]\n', "schedsync.toml")
        made.write(TWO_REGIONS)
        result = Regions(made)
        result.python("-m", "django", "migrate", "--run-syncdb", "--verbosity", "0")
        yield result


def test_tenants_of_a_table_in_two_regions(regions: Regions) -> None:
    empty = regions.shop.run("plan", "-e", "eu")
    regions.tenants("[Tenant.objects.create(name=n, region=n[:2]) for n in ('eu1', 'eu2', 'us1')]")
    assert (empty.returncode, "the source `eu` gives no value" in empty.stdout + empty.stderr) == (1, True)
    assert regions.changes("eu") == [("create", "sync-eu1"), ("create", "sync-eu2")]
    assert regions.changes("us") == [("create", "sync-us1")]
    assert regions.shop.run("apply", "-e", "eu", "--yes", "--settle", "0").returncode == 0

    regions.tenants("Tenant.objects.filter(name='eu1').update(is_active=False); "
                    "Tenant.objects.create(name='eu3', region='eu')")  # fmt: skip
    assert regions.changes("eu") == [("delete", "sync-eu1"), ("create", "sync-eu3")]


def test_a_table_that_is_missing_stops_the_plan(regions: Regions) -> None:
    regions.tenants("Tenant.objects.create(name='eu1', region='eu')")
    regions.shop.run("apply", "-e", "eu", "--yes", "--settle", "0")
    regions.tenants("from django.db import connection; connection.cursor().execute('DROP TABLE customers_tenant')")
    done = regions.shop.run("apply", "-e", "eu", "--yes", "--settle", "0", "--allow-empty")

    assert done.returncode == 1
    assert "SS152  sync-{tenant}: the source `eu` failed: " in done.stdout + done.stderr
    assert "OperationalError: no such table: customers_tenant" in done.stdout + done.stderr
    assert "error: 1 error in the files, nothing was compared or written" in done.stderr
