"""The schema of the configuration: the editor's help, the checks of schedsync.toml, and the code agree."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from schedsync.config import Config, read_config
from schedsync.core.allowance import Allowance
from schedsync.core.controls import Controls
from schedsync.core.finding import CODES, RULE_CODES
from schedsync.core.freeze import Freeze
from schedsync.core.rollout import RolloutRules
from schedsync.core.timing import Crontab
from schedsync.errors import InvalidConfiguration
from schedsync.schemas.validator import CONFIG, problems, schema_text
from tests.conftest import Project

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(schema_text(CONFIG))
LINT = SCHEMA["properties"]["lint"]["properties"]
ALLOW = "[[safety.allow]]\nreason = 'r'\n"
FREEZE = "[[freeze]]\nreason = 'r'\ncrontab = '%s'\nduration = '%s'\n"


def described_keys(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in schema.get("properties", {}).items():
        yield f"{path}{key}", value
        yield from described_keys(value, f"{path}{key}.")


def test_every_key_has_a_title_and_a_description_for_the_editor() -> None:
    assert [key for key, value in described_keys(SCHEMA) if not (value["title"] and value["description"])] == []


def test_the_schema_knows_every_rule_by_its_code_and_by_the_beginnings_of_codes() -> None:
    beginnings = {code[:length] for code in RULE_CODES for length in range(1, len(code) + 1)}

    assert set(SCHEMA["definitions"]["rule"]["anyOf"][0]["enum"]) == beginnings
    assert {code: value["description"].lower() for code, value in LINT["severity"]["properties"].items()} == {
        code: f"{CODES[code]}.".lower() for code in RULE_CODES
    }


def test_the_defaults_of_the_schema_are_those_of_the_code() -> None:
    config = Config()
    defaults = {key: value["default"] for key, value in described_keys(SCHEMA) if "default" in value}

    assert defaults == {
        "set": config.set,
        "paths": [path.as_posix() for path in config.paths],
        "environments": list(config.environments),
        "approvals": config.approvals,
        "safety.max_stops": config.max_stops,
        "safety.max_stop_percent": config.max_stop_percent,
        "safety.allow": list(config.allowances),
        "rollout.on_failure": RolloutRules(timedelta(minutes=1)).on_failure,
        "freeze": list(config.freezes),
        "lint.max_starts": config.lint.max_starts,
        "lint.queues": list(config.lint.queues),
        "lint.queue_waits": config.lint.queue_waits,
    }


def test_every_key_of_the_schema_reaches_the_configuration(files: Project) -> None:
    files.write(
        'set = "shop"\npaths = ["schedules", "more"]\nenvironments = ["staging"]\nrepository_url = "example.org/shop"\n'
        "[safety]\nmax_stops = 7\nmax_stop_percent = 8.0\n"
        'allowed_tasks = ["shop.*"]\nallowed_queues = []\nminimum_period = "90s"\n'
        f"{ALLOW}rule = 'too_many_stops'\nlimit = 5\nuntil = 2026-12-24\n"
        f"{ALLOW}rule = 'empty_set'\nuntil = 2026-12-24T18:00:00+01:00\n"
        '[[freeze]]\ncrontab = "0 16 * * fri"\nduration = "64h"\nreason = "r"\n'
        '[[freeze]]\ncrontab = "@monthly"\nduration = "1d"\ntimezone = "Europe/Berlin"\n'
        'environments = ["staging"]\nreason = " s "\n'
        '[prune]\ngrace = "36h"\n'
        '[rollout]\nwatch = "15m"\non_failure = "rollback"\n'
        '[lint]\nselect = ["SS20"]\nextend_select = ["SS215"]\nignore = ["SS202"]\nmax_starts = 9\nqueues = ["q"]\n'
        'queue_waits = {q = "10m", "*" = "1500000us"}\n'
        '[lint.severity]\nSS212 = "error"\n',
        "schedsync.toml",
    )
    config = read_config(None)

    assert (config.set, config.environments, config.repository_url) == ("shop", ("staging",), "example.org/shop")
    assert [path.name for path in config.paths] == ["schedules", "more"]
    assert [config.max_stops, config.max_stop_percent, config.lint.max_starts] == [7, 8, 9]
    assert type(config.max_stop_percent) is int
    assert config.controls == Controls(("shop.*",), (), timedelta(seconds=90), in_files=True)
    assert config.allowances == (
        Allowance("too_many_stops", datetime(2026, 12, 25, tzinfo=timezone.utc), "r", 5),
        Allowance("empty_set", datetime(2026, 12, 24, 17, tzinfo=timezone.utc), "r"),
    )
    assert config.freezes == (
        Freeze(Crontab("0", "16", "*", "*", "5", "UTC"), timedelta(hours=64), "r"),
        Freeze(Crontab("0", "0", "1", "*", "*", "Europe/Berlin"), timedelta(days=1), "s", ("staging",)),
    )
    assert config.grace == timedelta(hours=36)
    assert config.rollout == RolloutRules(timedelta(minutes=15), "rollback")
    assert (config.lint.select, config.lint.extend_select, config.lint.ignore) == (("SS20",), ("SS215",), ("SS202",))
    assert config.lint.queue_waits == {"q": 600, "*": 2}
    assert (config.lint.queues, config.lint.severities) == (("q",), {"SS212": "error"})


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('enviroments = ["a"]', "unknown key `enviroments`", "did you mean `environments`?"),
        ("[safety]\nx = 1", "unknown key `safety.x`",
         "known here: max_stops, max_stop_percent, allow, allowed_tasks, allowed_queues, minimum_period"),
        ('set = 3\nsett = "x"', "unknown key `sett`", "did you mean `set`?"),
        ("[lint.severity]\nSS299 = 'info'", "unknown key `lint.severity.SS299`", "did you mean `SS219`?"),
        ('[lint.queue_waits]\nreports = 30',
         "`lint.queue_waits.reports` takes text, not `30`", None),
        ('[lint.queue_waits]\nreports = "soon"',
         '`lint.queue_waits.reports` takes one whole number and us, s, m, h or d, such as `5m`, not `"soon"`', None),
        ("[lint.severity]\nSS204 = 'eror'",
         "`lint.severity.SS204` takes one of error, warning, info; did you mean `error`?", None),
        ('[lint]\nselect = ["SS2O6"]', "`lint.select`: no rule `SS2O6`", "did you mean `SS226`?"),
        ('[lint]\nignore = ["herd"]', "`lint.ignore`: no rule `herd`", "`schedsync rules` lists them"),
        ('paths = "x"', '`paths` takes a list of texts, not `"x"`', None),
        ("paths = [1]", "an item of `paths` takes text, not `1`", None),
        ('paths = [""]', "an item of `paths` must not be empty", None),
        ('paths = ["a", "b", "a"]', '`paths` names `"a"` twice', None),
        ("lint = []", "`lint` takes a table, not a list", None),
        ("[set]", "`set` takes text, not a table", None),
        ("set = 2026-11-27", "`set` takes text, not `2026-11-27`", None),
        (f'set = "{"x" * 101}"', "`set` must have at most 100 characters", None),
        ('set = " "', '`set` takes a name of printable characters, not `" "`', None),
        ('environments = [" a"]',
         '`environments` takes printable names without white space at their ends, not `" a"`', None),
        ("[safety]\nmax_stops = true", "`safety.max_stops` takes a whole number, not true", None),
        ("[safety]\nmax_stops = -1", "`safety.max_stops` must be at least 0", None),
        ("[safety]\nmax_stop_percent = nan", "`safety.max_stop_percent` takes a whole number, not `nan`", None),
        ('[safety.allow]\nrule = "x"', "`safety.allow` takes a list of tables",
         "begin each entry with `[[safety.allow]]`"),
        (f"{ALLOW}rule = 'older_commit'", "an item of `safety.allow` needs `until`", None),
        (f"{ALLOW}rule = 'name_taken'\nuntil = 2026-12-24",
         "`safety.allow.rule` takes one of too_many_stops, empty_set, older_commit, dual_writer, moved_set, "
         "other_environment", None),
        (f"{ALLOW}rule = 'too_many_stops'\nuntil = 2026-12-24",
         "`safety.allow`: `too_many_stops` needs `limit`, the number of stops to allow", None),
        (f"{ALLOW}rule = 'empty_set'\nlimit = 3\nuntil = 2026-12-24",
         "`safety.allow`: `limit` belongs to `too_many_stops`; `empty_set` has none", None),
        (f"{ALLOW}rule = 'empty_set'\nuntil = 2026-12-24T18:00:00",
         "`safety.allow.until`: `2026-12-24T18:00:00` has no offset",
         "write `2026-12-24T18:00:00Z` for UTC, or `2026-12-24T18:00:00+01:00`; or a date, which counts to its end in "
         "UTC"),
        (f"{ALLOW}rule = 'empty_set'\nuntil = '2026-02-30'",
         "`safety.allow.until`: `2026-02-30` is not in the calendar",
         "write it as `2026-12-24T18:00:00+01:00`; or a date, which counts to its end in UTC"),
        (f"{ALLOW}rule = 'empty_set'\nuntil = 2026",
         "`safety.allow.until` takes text, not `2026`", None),
        ("[safety]\nallowed_tasks = 'shop.*'", "`safety.allowed_tasks` takes a list of texts, not `\"shop.*\"`", None),
        ("[safety]\nminimum_period = '0s'",
         "`safety.minimum_period` takes a duration such as `5m`, or seconds, more than 0 and at most a century, "
         "not '0s'", None),
        ("prune = true", "`prune` takes a table, not true", None),
        ("[prune]\ngrase = '7d'", "unknown key `prune.grase`", "did you mean `grace`?"),
        ("[prune]\ngrace = 7", "`prune.grace` takes text, not `7`", None),
        ("[prune]\ngrace = '30s'", "`prune.grace`: `30s` is not from 1m to 366d in whole seconds",
         "leave it out to delete at once"),
        ("[rollout]\nwatch = '30s'", "`rollout.watch`: `30s` is not from 1m to 7d",
         "leave `[rollout]` out to watch no first runs"),
        ("[rollout]\nwatch = '999999999999999999d'", "`rollout.watch`: `999999999999999999d` is not from 1m to 7d",
         "leave `[rollout]` out to watch no first runs"),
        ("[rollout]\non_failure = 'rollback'", "`rollout` needs `watch`", None),
        ("freeze = 1", "`freeze` takes a list of tables", "begin each entry with `[[freeze]]`"),
        ("[[freeze]]\ncrontab = '@daily'\nduration = '1h'", "an item of `freeze` needs `reason`", None),
        (FREEZE % ("@dayly", "1h"), "`freeze.crontab`: unknown alias `@dayly`", "did you mean `@daily`?"),
        (FREEZE % ("0 25 * * *", "1h"), "`freeze.crontab`: hour: `25` is not within 0-23", None),
        (FREEZE % ("0 1 31 2 *", "1h"),
         "`freeze.crontab`: none of these months has such a day: it can never fire", None),
        (FREEZE % ("@daily", "30s"),
         "`freeze.duration`: `30s` is out of range: whole seconds, at least 1m, at most 366d", None),
        (FREEZE % ("@daily", "367d"),
         "`freeze.duration`: `367d` is out of range: whole seconds, at least 1m, at most 366d", None),
        (FREEZE % ("@daily", "999999999d"),
         "`freeze.duration`: `999999999d` is out of range: whole seconds, at least 1m, at most 366d", None),
        (FREEZE % ("@daily", "1h") + "timezone = 'Europe/Berln'",
         "`freeze.timezone`: unknown time zone `Europe/Berln`", None),
        ("environments = ['production']\n" + FREEZE % ("@daily", "1h") + "environments = ['prodution']",
         "`freeze.environments`: no environment `prodution` is declared", "did you mean `production`?"),
        (FREEZE % ("@daily", "1h") + "environments = ['x']",
         "`freeze.environments`: no environment `x` is declared", "declare it under `environments`"),
        (FREEZE.replace("'r'", "' '") % ("@daily", "1h"), "`freeze.reason`: it takes one line of text", None),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_explained(files: Project, text: str, message: str, hint: str | None) -> None:
    files.write(f"{text}\n", "schedsync.toml")
    with pytest.raises(InvalidConfiguration) as caught:
        read_config(None)

    assert (caught.value.message, caught.value.hint) == (f"schedsync.toml: {message}", hint)


def test_an_editor_refuses_what_the_code_refuses() -> None:
    assert list(problems({"set": "shop", "safety": {"max_stops": 1}}, CONFIG)) == []
    assert problems({"lint": {"select": ["SS999"]}}, CONFIG) != []


def test_the_schema_of_the_configuration_is_printed(files: Project) -> None:
    assert json.loads(files.command("schema", "config").out) == SCHEMA


def test_a_snapshot_narrows_no_other_schema_than_that_of_the_schedules(files: Project) -> None:
    files.write("{}", "snapshot.json")
    done = files.command("schema", "config", "--snapshot", "snapshot.json")

    assert (done.code, "`--snapshot` narrows the schema `schedules` only, not `config`" in done.err) == (64, True)


def test_our_own_configuration_and_the_documented_one_are_right(files: Project) -> None:
    page = (ROOT / "docs/reference/configuration.md").read_text()
    for text in ((ROOT / "schedsync.toml").read_text(), page.split("```toml\n")[1].split("```")[0]):
        files.write(text, "schedsync.toml")

        assert read_config(None).set == "shop"


def test_a_right_configuration_needs_only_the_fast_validator(files: Project) -> None:
    files.write("[safety]\nmax_stops = 1\n", "schedsync.toml")
    program = (
        "import sys; from schedsync.config import read_config; early = 'fastjsonschema' in sys.modules\n"
        "read_config(None); print(early, 'fastjsonschema' in sys.modules, 'jsonschema' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=files.root, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True", "False"]
