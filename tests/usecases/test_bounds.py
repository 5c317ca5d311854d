"""Hostile input ends soon, in little memory and with a finding: a verb that hangs would stop everybody's CI."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import git
import pytest

ROOT = Path(__file__).parents[2]
MEMORY = 300 * 2**20
#: In seconds: of the processor, and on the clock. The slowest takes two; a busy machine may need several times as much.
PROCESSOR, PATIENCE = 20, 120

HEAD = "version: 1\nschedules:\n"
FIELDS = "task: t, every: 1h"


def listed(count: int, first: str = "v") -> str:
    return f"[{', '.join(f'{first}{number}' for number in range(count))}]"


def crowd() -> dict[str, str]:
    """Four `for_each` of 193,600 schedules each."""
    values = listed(440, "")
    definitions = (
        f'  "{name}-{{a}}-{{b}}": {{{FIELDS}, for_each: {{a: &{name} {values}, b: *{name}}}}}\n' for name in "wxyz"
    )
    return {"schedules/a.yaml": HEAD + "".join(definitions)}


def crowd_in_environments() -> dict[str, str]:
    names = ", ".join(f'"e{number}"' for number in range(100))
    values = listed(440, "")
    differing = f"{FIELDS}, environments: {{e1: {{every: 2h}}}}"
    text = f'  "w-{{a}}-{{b}}": {{{differing}, for_each: {{a: &a {values}, b: *a}}}}\n'
    return {"schedsync.toml": f"environments = [{names}]\n", "schedules/a.yaml": HEAD + text}


def crowd_in_files() -> dict[str, str]:
    text = f'  "{{n}}-{{a}}-{{b}}": {{{FIELDS}, for_each: {{n: [NAME], a: &a {listed(440, "")}, b: *a}}}}\n'
    return {f"schedules/{name}.yaml": HEAD + text.replace("NAME", name) for name in "wxyz"}


def values_file() -> dict[str, str]:
    text = f'  "x-{{a}}": {{{FIELDS}, for_each: {{a: {{file: a.txt}}}}}}\n'
    return {"schedules/a.yaml": HEAD + text, "schedules/a.txt": "".join(f"{number}\n" for number in range(1_000_000))}


def many_files() -> dict[str, str]:
    return {f"schedules/{number}.yaml": "version: 1\n" for number in range(10_001)}


def long_text_behind_aliases() -> dict[str, str]:
    text = f"x-long: &long {'a' * 2**20}\n" + HEAD
    return {"schedules/a.yaml": text + "".join(f"  s{n}: {{{FIELDS}, description: *long}}\n" for n in range(5_000))}


def large_arguments_of_many() -> dict[str, str]:
    values = listed(50_000)
    text = f'  "x-{{a}}": {{{FIELDS}, args: {values}, for_each: {{a: {listed(9_000)}}}}}\n'
    return {"schedules/a.yaml": HEAD + text}


def large_labels_of_many() -> dict[str, str]:
    labels = ", ".join(f"l{number}: x" for number in range(20_000))
    text = f'  "x-{{a}}": {{{FIELDS}, labels: {{{labels}}}, for_each: {{a: {listed(9_000)}}}}}\n'
    return {"schedules/a.yaml": HEAD + text}


def unknown_keys() -> dict[str, str]:
    return {"schedules/a.yaml": "version: 1\n" + "".join(f"schedule{number}: 1\n" for number in range(100_000))}


def unknown_defaults() -> dict[str, str]:
    defaults = "".join(f"  k{number}: 1\n" for number in range(50_000))
    schedules = "".join(f"  s{number}: {{{FIELDS}}}\n" for number in range(10_000))
    return {"schedules/a.yaml": f"version: 1\ndefaults:\n{defaults}schedules:\n{schedules}"}


def wrong_crontabs() -> dict[str, str]:
    values = listed(100_000)
    return {"schedules/a.yaml": f'{HEAD}  "x-{{a}}": {{task: t, crontab: "61 mo x y z", for_each: {{a: {values}}}}}\n'}


def long_crontab() -> dict[str, str]:
    text = ",".join(["*"] * 2_000_000)
    return {"schedules/a.yaml": f'{HEAD}  x: {{task: t, crontab: "{text} * * * *"}}\n'}


def many_placeholders() -> dict[str, str]:
    keys = [f"k{number}" for number in range(20_000)]
    name = "".join(f"{{{key}}}" for key in keys)
    for_each = ", ".join(f"{key}: [x]" for key in keys)
    return {"schedules/a.yaml": f'{HEAD}  ? "{name}"\n  : {{{FIELDS}, for_each: {{{for_each}}}}}\n'}


def web_tokens() -> dict[str, str]:
    return {"schedules/a.yaml": f"{HEAD}  x: {{{FIELDS}, args: ['{'-eyJaaaaaaaa' * 80_000}'], description: [1]}}\n"}


def nested_json() -> dict[str, str]:
    return {"schedules/a.yaml": f"{HEAD}  x: {{{FIELDS}, args: ['{'[' * 200_000}'], queue: [1]}}\n"}


def long_keys_of_secrets() -> dict[str, str]:
    inner = ", ".join(f"password{number}: x" for number in range(1_000))
    return {"schedules/a.yaml": f"{HEAD}  x: {{{FIELDS}, queue: [1], kwargs: {{? {'k' * 900_000}\n : {{{inner}}}}}}}\n"}


def ignore_comments() -> dict[str, str]:
    return {"schedules/a.yaml": f"{HEAD}  x: {{task: t}} {'# schedsync: ignore[' * 50_000}\n"}


def ignored_codes() -> dict[str, str]:
    codes = ",".join(f"SS{number}" for number in range(1_000, 200_000))
    return {"schedules/a.yaml": f"{HEAD}  x: {{task: t}} # schedsync: ignore[{codes}]\n"}


def wild_paths() -> dict[str, str]:
    return {
        "schedsync.toml": f'paths = ["{"*a" * 400}*/**/*b"]\n',
        **{f"{'a' * 100}/{'a' * 100}{number}/x.yaml": "version: 2\n" for number in range(200)},
    }


HOSTILE: dict[str, tuple[Callable[[], dict[str, str]], str]] = {
    "four for_each of 193,600": (crowd, "SS116  774,400 schedules up to here; a set has at most 200,000"),
    "a for_each in each of four files": (crowd_in_files, "SS116  387,201 schedules up to here"),
    "100 environments": (crowd_in_environments, "SS116  19,360,000 schedules in all environments up to here"),
    "a million values": (values_file, "SS116  1,000,000 schedules up to here"),
    "10,001 files": (many_files, "SS116  more than 10,000 files"),
    "a long text behind aliases": (long_text_behind_aliases, "SS104  more than 2,000,000 values, with aliases counted"),
    "large arguments of many": (large_arguments_of_many, "SS116  the names, arguments and descriptions"),
    "large labels of many": (large_labels_of_many, "SS116  the names, arguments and descriptions"),
    "unknown keys": (unknown_keys, "SS104  at least 1,000 findings in this file"),
    "unknown defaults": (unknown_defaults, "SS104  at least 1,000 findings in this file"),
    "wrong crontabs": (wrong_crontabs, "SS104  at least 1,000 findings in this file"),
    "a long crontab": (long_crontab, "SS123  x: `crontab` must have at most 500 characters"),
    "many placeholders": (many_placeholders, ": 20,000 placeholders; a `for_each` has at most 20"),
    "web tokens": (web_tokens, "SS121  x: `description` takes text, not a list"),
    "nested JSON text": (nested_json, "SS121  x: `queue` takes text, not a list"),
    "long keys of secrets": (long_keys_of_secrets, "SS121  x: `queue` takes text, not a list"),
    "ignore comments": (ignore_comments, "SS130  "),
    "ignored codes": (ignored_codes, "SS104  at least 1,000 findings in this file"),
    "wild paths": (wild_paths, "`paths`: no directory and no YAML file matches"),
}  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of processes that have a migrated database of SQLite."""
    name = str(tmp_path_factory.mktemp("hostile") / "db.sqlite3")
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name}}
    environment = {**os.environ, "SCHEDSYNC_TEST_DATABASES": json.dumps(databases), "PYTHONPATH": str(ROOT)}
    environment |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "OPENBLAS_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    subprocess.run(words, env=environment, check=True)
    return environment


def bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR))


def run(words: tuple[str, ...], directory: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "schedsync", *words], cwd=directory, env=environment, preexec_fn=bounded,
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def repository(directory: Path, files: dict[str, str]) -> None:
    """Write the files on a branch that begins without them, and commit them."""
    with git.Repo.init(directory, initial_branch="main") as repo:
        with repo.config_writer() as config:
            config.set_value("user", "name", "Sam").set_value("user", "email", "sam@example.org")
        (directory / "schedules").mkdir()
        (directory / "schedules/base.yaml").write_text(f"{HEAD}  base: {{{FIELDS}}}\n")
        repo.git.add(all=True)
        repo.index.commit("base")
        repo.git.checkout("-b", "feature")
        for name, text in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        repo.git.add(all=True)
        repo.index.commit("hostile")


VERBS = [("validate",), ("review",), ("review", "main", "feature"), ("plan",), ("drift",)]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_every_verb_with_a_finding(name: str, tmp_path: Path, database: dict[str, str]) -> None:
    make, message = HOSTILE[name]
    repository(tmp_path, make())
    for words in VERBS:
        done = run(words, tmp_path, database)

        said = f"{done.stdout}\n{done.stderr}"
        assert (done.returncode, message in said, "Traceback" in said) == (1, True, False), (words, said[-2000:])


FAR = 'start_at: "2099-01-01T00:00:00Z"'
SOON = 'expires_at: "2099-01-01T00:00:00Z"'


@pytest.mark.parametrize(
    "fields",
    [
        "every: 1us", f"every: 1us, {SOON}", f"every: 1us, {FAR}", f"every: 1us, one_off: true, {FAR}",
        f'crontab: "* * * * *", {FAR}', f'crontab: "* * * * *", one_off: true, {FAR}', f'crontab: "* * * * *", {SOON}',
        f"solar: {{event: sunset, latitude: 1, longitude: 1}}, {FAR}",
    ],
)  # fmt: skip
def test_one_schedule_with_millions_of_slots_ends_every_verb(
    fields: str, tmp_path: Path, database: dict[str, str]
) -> None:
    repository(tmp_path, {"schedules/a.yaml": f"{HEAD}  x: {{task: t, {fields}}}\n"})
    for words in (*VERBS, ("forecast",)):
        done = run(words, tmp_path, database)

        assert (done.returncode, "Traceback" in done.stderr) == (0, False), (words, done)


def test_a_review_of_many_schedules_of_one_timing_looks_at_the_timing_once(
    tmp_path: Path, database: dict[str, str]
) -> None:
    schedules = "".join(f"  s{number}: {{{FIELDS}}}\n" for number in range(10_000))
    repository(tmp_path, {"schedules/a.yaml": f"{HEAD}{schedules}"})
    done = run(("review",), tmp_path, database)

    assert (done.returncode, "+10,000 create" in done.stdout) == (0, True), done.stderr


def tree_of(repo: git.Repo, entries: list[tuple[str, str, str]]) -> str:
    lines = "".join(f"{mode} {'tree' if mode == '040000' else 'blob'} {id_}\t{name}\n" for mode, id_, name in entries)
    process = subprocess.run(
        ["git", "mktree", "--missing"], cwd=repo.working_dir, input=lines, capture_output=True, text=True, check=True
    )
    return process.stdout.strip()


@pytest.mark.parametrize("leaf", ["file", "nothing"])
@pytest.mark.parametrize("shape", ["wide", "deep"])
def test_trees_that_refer_to_each_other_end_a_review(
    leaf: str, shape: str, tmp_path: Path, database: dict[str, str]
) -> None:
    repository(tmp_path, {})
    with git.Repo(tmp_path) as repo:
        blob = repo.commit("main").tree["schedules/base.yaml"].hexsha
        tree = tree_of(repo, [("100644", blob, "a.yaml")] if leaf == "file" else [])
        for _ in range(12 if shape == "wide" else 500):
            tree = tree_of(repo, [("040000", tree, f"d{number}") for number in range(10 if shape == "wide" else 1)])
        root = tree_of(repo, [("040000", tree, "schedules")])
        commit = repo.git.commit_tree(root, "-p", "main", "-m", "hostile")
    for words in (("review", "main", commit), ("review", commit, "main")):
        done = run(words, tmp_path, database)

        assert (done.returncode, "SS116  the tree" in done.stderr) == (1, True), done
        assert f"{commit[:12]}:schedules/d" in done.stderr


def test_a_message_quotes_only_the_beginning_of_a_value(tmp_path: Path, database: dict[str, str]) -> None:
    repository(tmp_path, {"schedules/a.yaml": f"{HEAD}  x: {{{FIELDS}, timezone: {'z' * 100_000}}}\n"})
    done = run(("validate",), tmp_path, database)

    assert done.returncode == 1
    assert len(done.stdout) < 5_000
