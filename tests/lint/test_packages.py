"""Rules of other packages: found, checked, run within bounds, and named where they fail."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schedsync.config import Config
from schedsync.core.finding import Finding
from schedsync.lint import guard, packages
from schedsync.lint.packages import package_rules
from schedsync.lint.rule import Options
from schedsync.render.programs import sarif
from schedsync.usecases.plan_against import _about_the_application
from tests.conftest import Project
from tests.lint.test_rules import found
from tests.review.conftest import checkout  # noqa: F401
from tests.review.repository import Checkout

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guides/own-rules.md").read_text(encoding="utf-8")
ONE = "  nightly: {task: t, every: 1h}\n"
RULE = """
from schedsync.lint.rule import Found, Rule
def each(schedule, context):
    yield Found(schedule, "it is there", "task", "remove it")
RULE = Rule(code="ACME001", name="there", summary="a schedule", severity="warning", each=each)
"""
Install = Callable[..., None]


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of installed packages on the module path."""
    directory = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(str(directory))
    return directory


@pytest.fixture
def install(site: Path) -> Iterator[Install]:
    """Install a package of one module with the entry point of its rules."""
    modules: list[str] = []

    def put(code: str = RULE, name: str = "acme_rules", version: str = "1.0", *, entry: str = "RULE") -> None:
        write_package(site, name, version, code, f"[schedsync.rules]\nacme = {name}:{entry}\n")
        modules.append(name)

    yield put
    for module in modules:
        sys.modules.pop(module, None)
    packages._of_path.cache_clear()
    guard._failures.clear()


def write_package(site: Path, name: str, version: str, code: str, entry_points: str) -> None:
    (site / f"{name}.py").write_text(code, encoding="utf-8")
    metadata = site / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(entry_points)


def said(files: Project) -> list[str]:
    document = json.loads(files.command("validate", "--format", "json").out)
    return [f"{one['code']} {one['severity']} {one['message']}" for one in document["findings"]]


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_documented_package_does_what_its_page_says(tmp_path: Path) -> None:
    site, work = tmp_path / "site-packages", tmp_path / "work"
    project = tomllib.loads(blocks("toml")[0])["project"]
    [(group, points)] = project["entry-points"].items()
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    site.mkdir()
    write_package(site, "acme_rules", project["version"], blocks("python")[0], f"[{group}]\n{lines}")
    (work / "schedules").mkdir(parents=True)
    (work / "schedules/shop.yaml").write_text(blocks("yaml")[0])

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "schedsync", *words], cwd=work, env={**os.environ, "PYTHONPATH": f"{site}:{ROOT}"},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout + done.stderr

    assert f"$ schedsync validate\n{run('validate')}" == blocks("console")[1]
    page = run("rules", "ACME001")
    assert page.startswith("ACME001  runbook  warning\nA schedule of team `data` without a runbook.\n")
    assert "\nFrom the package acme-rules 1.0.\n" in page
    assert run("rules").splitlines()[-1].split() == (
        [
            "ACME001",
            "runbook",
            "warning",
            "a",
            "schedule",
            "of",
            "team",
            "`data`",
            "without",
            "a",
            "runbook",
            "(acme-rules",
            "1.0)",
        ]
    )


def test_each_key_of_a_rule_and_of_a_problem_is_documented() -> None:
    from schedsync.lint.rule import Found, Rule

    rows = " ".join(re.findall(r"^\| (`.*?) \|", PAGE, flags=re.MULTILINE))
    documented = set(re.findall(r"`(\w+)`", rows))

    assert documented == {*Rule.__match_args__, *Rule.__dataclass_fields__, *Found._fields} - {"package"}


def test_a_rule_of_a_package_is_checked_like_ours(files: Project, install: Install) -> None:
    install()
    files.schedules(f"{ONE}  b: {{task: t, every: 2h}} # schedsync: ignore[ACME001]\n")

    assert said(files) == ["ACME001 warning it is there"]
    text = files.validate().out
    assert "schedules/shop.yaml:3:19: warning  ACME001  nightly: it is there\n  hint: remove it\n" in text.replace(
        " :", ":"
    )


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ('[lint]\nignore = ["ACME001"]\n', []),
        ('[lint]\nignore = ["ACME"]\n', []),
        ('[lint]\nselect = ["SS204"]\n', []),
        ('[lint]\nselect = ["ACME0"]\n', ["ACME001 warning it is there"]),
        ('[lint.severity]\nACME001 = "error"\n', ["ACME001 error it is there"]),
        ('[lint]\nignore = ["OTHER1"]\n',
         ["SS191 warning `lint.ignore`: no rule `OTHER1`", "ACME001 warning it is there"]),
        ('[lint]\nextend_select = ["OTHER"]\n',
         ["SS191 error `lint.extend_select`: no rule `OTHER`", "ACME001 warning it is there"]),
        ('[lint.severity]\nACME00 = "error"\n',
         ["SS191 error `lint.severity`: no rule `ACME00`", "ACME001 warning it is there"]),
    ],
)  # fmt: skip
def test_the_configuration_rules_over_rules_of_packages(
    files: Project, install: Install, configuration: str, expected: list[str]
) -> None:
    install()
    files.write(configuration, "schedsync.toml")
    files.schedules(ONE)

    assert sorted(said(files)) == sorted(expected)


def test_a_code_that_no_package_has_is_named(files: Project) -> None:
    files.write('[lint]\nselect = ["SS2", "ACME001"]\n', "schedsync.toml")
    files.schedules("  a: {task: t, every: 1h} # schedsync: ignore[ACME002]\n")
    done = files.command("validate")

    assert done.code == 1
    assert "schedsync.toml:1:1:      error    SS191  " in done.out
    assert "warning  SS112  no rule `ACME002` to ignore" in done.out


def _package(body: str, **values: str) -> str:
    fields = {"code": '"ACME001"', "name": '"there"', "summary": '"s"', "severity": '"info"', "each": "each"} | values
    arguments = ", ".join(f"{key}={value}" for key, value in fields.items())
    return (
        "import sys, time\nfrom schedsync.lint.rule import Found, Rule\ndef each(schedule, context):\n"
        f"{textwrap.indent(body, '    ')}\nRULE = Rule({arguments})\n"
    )


UNUSABLE = [
    ("raise ValueError('no')", "ValueError: no"),
    ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
    ("raise SystemExit(3)", "SystemExit: 3"),
    ("def (", "SyntaxError: invalid syntax (acme_rules.py, line 1)"),
    ("x = 1", "AttributeError: module 'acme_rules' has no attribute 'RULE'"),
    ("RULE = 'SS201'", "a `str` is no `Rule`, and no list of them"),
    ("RULE = [1]", "a `int` is no `Rule`, and no list of them"),
    (_package("", code="'SS201'").replace("):\n\n", "): pass\n"),
     "the code 'SS201' is not two to ten capital letters, other than `SS…`, and one to four digits"),
    *((_package("pass", code=code),
       f"the code {code} is not two to ten capital letters, other than `SS…`, and one to four digits")
      for code in ("'SSO1'", "'acme1'", "'ACME'", "7", "'A1'")),
    (_package("pass", severity="'fatal'"), "`ACME001` has no valid `severity`"),
    (_package("pass", severity="[]"), "`ACME001` has no valid `severity`"),
    (_package("pass", name="'No Name'"), "`ACME001` has no valid `name`"),
    (_package("pass", summary="'two\\nlines'"), "`ACME001` has no valid `summary`"),
    (_package("pass", summary="'a line\\n'"), "`ACME001` has no valid `summary`"),
    (_package("pass", why="'\\ud800'"), "`ACME001` has no valid `why`"),
    (_package("pass") + "RULE = [RULE, RULE]\n", "it has two rules `ACME001`"),
    (_package("pass", each="None"), "`ACME001` has no valid `each`"),
    (_package("pass", each="3"), "`ACME001` has no valid `each`"),
    (_package("pass", why="None"), "`ACME001` has no valid `why`"),
    (_package("pass", opt_in="1"), "`ACME001` has no valid `opt_in`"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "problem"), UNUSABLE)
def test_a_package_that_cannot_be_used_is_named_and_left_out(
    files: Project, install: Install, code: str, problem: str
) -> None:
    install(code)
    files.schedules('  a: {task: t, crontab: "*/7 * * * *"}\n')
    problems = said(files)
    listed = files.command("rules")

    assert problems[0] == f"SS190 error the rules of acme-rules 1.0 cannot be used: {problem}"
    assert [line.split()[0] for line in problems[1:]] == ["SS204"]
    assert (listed.code, f"acme-rules 1.0 cannot be used: {problem}" in listed.err) == (1, True)
    assert "ACME" not in listed.out


def test_two_packages_with_one_code_are_named(files: Project, install: Install) -> None:
    install()
    install(name="other_rules", version="2.1")
    files.schedules(ONE)

    assert said(files) == [
        "SS190 error the rules of other-rules 2.1 cannot be used: acme-rules 1.0 has a rule `ACME001` too",
        "ACME001 warning it is there",
    ]


FAILING = [
    ("raise ValueError(schedule.name)", "ValueError: nightly, at `nightly`"),
    ("return None", "TypeError: 'NoneType' object is not iterable, at `nightly`"),
    ("return 3", "TypeError: 'int' object is not iterable, at `nightly`"),
    ("sys.exit(0)", "SystemExit: 0"),
    ("return 'text'", "it gave a `str` instead of a `Found`"),
    ("yield None", "it gave a `NoneType` instead of a `Found`"),
    ("yield (schedule, 'message')", "it gave a `tuple` instead of a `Found`"),
    ("yield Found(None, 'message')", "it gave a `Found` without one of the schedules"),
    ("import dataclasses; yield Found(dataclasses.replace(schedule), 'message')",
     "it gave a `Found` without one of the schedules"),
    ("yield Found(schedule, 3)", "it gave a message or a hint that is not one line of at most 1,000 characters"),
    ("yield Found(schedule, '')", "it gave a message or a hint that is not one line of at most 1,000 characters"),
    ("yield Found(schedule, 'a\\nb')", "it gave a message or a hint that is not one line of at most 1,000 characters"),
    ("yield Found(schedule, 'm', None, 'h' * 1001)",
     "it gave a message or a hint that is not one line of at most 1,000 characters"),
    ("yield Found(schedule, 'm', 3)", "it gave a key that is not text"),
    ("yield Found(schedule, 'm', names=['a'])", "it gave names that are not a tuple of texts"),
    ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "E, at `nightly`"),
    ("return each(schedule, context)", "RecursionError: maximum recursion depth exceeded"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "failure"), FAILING)
def test_a_rule_that_fails_is_named_and_stops_no_other(
    files: Project, install: Install, body: str, failure: str
) -> None:
    install(_package(body))
    files.schedules('  nightly: {task: t, crontab: "*/7 * * * *"}\n')
    done = files.command("validate")
    problems = said(files)

    assert done.code == 1
    assert problems[0].startswith(f"SS190 error rule `ACME001` of acme-rules 1.0 failed: {failure}")
    assert [line.split()[0] for line in problems[1:]] == ["SS204"]
    assert 'hint: correct the rule; `ignore = ["ACME001"]` under `[lint]` turns it off' in done.out


def test_what_a_rule_found_before_it_failed_counts(files: Project, install: Install) -> None:
    install(_package("yield Found(schedule, 'first')\nraise KeyError('x')"))
    files.schedules(ONE)

    assert [line.partition(" ")[0] for line in said(files)] == ["SS190", "ACME001"]


@pytest.mark.parametrize(
    "loop", ["while True: pass", "while True:\n    try: time.sleep(9)\n    except Exception: pass"]
)
def test_a_rule_that_never_ends_is_interrupted(
    files: Project, install: Install, loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_LEAST_TIME", 0.2)
    install(_package(loop))
    files.schedules(ONE)
    rang: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: rang.append(number))
    signal.setitimer(signal.ITIMER_REAL, 100)
    try:
        problems = said(files)
        left = signal.setitimer(signal.ITIMER_REAL, 0)[0]
    finally:
        signal.signal(signal.SIGALRM, before)

    assert problems == ["SS190 error rule `ACME001` of acme-rules 1.0 failed: it took more than 0 s"]
    assert (50 < left < 100, rang) == (True, [])


def test_a_rule_that_finds_without_end_is_stopped(files: Project, install: Install) -> None:
    install(_package("while True: yield Found(schedule, 'again')"))
    files.schedules(ONE)

    assert said(files)[:1] == [
        "SS190 error rule `ACME001` of acme-rules 1.0 failed: it found more than 10,000 problems"
    ]


def test_outside_the_main_thread_the_time_is_looked_at_between_problems(
    files: Project, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_LEAST_TIME", 0.1)
    install(_package("while True:\n    time.sleep(0.05)\n    yield Found(schedule, 'again')"))
    files.schedules(ONE)
    problems: list[str] = []
    thread = threading.Thread(target=lambda: problems.extend(said(files)))
    thread.start()
    thread.join()

    assert problems[0] == "SS190 error rule `ACME001` of acme-rules 1.0 failed: it took more than 0 s"


def test_what_a_rule_prints_is_no_data(files: Project, install: Install) -> None:
    install("print('loaded')\n" + _package("print('checked')\nreturn []"))
    files.schedules(ONE)
    done = files.command("validate", "--format", "json")

    assert json.loads(done.out)["findings"] == []
    assert "checked" in done.err


def test_a_review_runs_a_rule_over_all_schedules_once(
    checkout: Checkout,  # noqa: F811
    install: Install,
) -> None:
    body = "def whole(context):\n    yield Found(context.schedules[0], f'{len(context.schedules)} in all')\n"
    code = _package("yield Found(schedule, 'new')", whole="whole").replace("RULE = ", f"{body}RULE = ")
    install(code)
    checkout.schedules("  a: {task: t, every: 1h}\n", "schedules/a.yaml")
    checkout.commit()
    checkout.schedules("  b: {task: t, every: 2h}\n", "schedules/b.yaml")
    findings = checkout.json()["findings"]

    assert [(one["code"], one["message"], one["location"]["path"], one["new"]) for one in findings] == [
        ("ACME001", "2 in all", "schedules/a.yaml", False),
        ("ACME001", "new", "schedules/a.yaml", False),
        ("ACME001", "new", "schedules/b.yaml", True),
    ]


def test_a_review_asks_a_rule_that_failed_no_more(
    checkout: Checkout,  # noqa: F811
    install: Install,
    tmp_path: Path,
) -> None:
    calls = tmp_path / "calls"
    install(_package(f"with open({str(calls)!r}, 'a') as calls: calls.write('x')\nraise ValueError('no')"))
    for name in "abcdef":
        checkout.schedules(f"  {name}: {{task: {name}, every: 1h}}\n", f"schedules/{name}.yaml")
    checkout.commit()
    checkout.schedules("  g: {task: g, every: 1h}\n", "schedules/g.yaml")
    done = checkout.review("--format", "sarif")
    run = json.loads(done.out)["runs"][0]

    assert [one["ruleId"] for one in run["results"]] == ["SS190"]
    assert (done.code, calls.read_text()) == (1, "x")


def test_sarif_has_the_summary_of_a_rule_of_a_package(install: Install) -> None:
    install()
    document = json.loads(sarif.findings([Finding("ACME001", "it is there", severity="warning")]))
    [rule] = document["runs"][0]["tool"]["driver"]["rules"]

    assert (rule["id"], rule["shortDescription"]["text"]) == ("ACME001", "a schedule")


def test_no_package_of_the_working_directory_is_loaded(
    files: Project, monkeypatch: pytest.MonkeyPatch, install: Install
) -> None:
    for directory in (files.root, files.root / "src"):
        directory.mkdir(exist_ok=True)
        monkeypatch.syspath_prepend(str(directory))
        write_package(directory, "theirs", "1.0", RULE, "[schedsync.rules]\nx = theirs:RULE\n")
    files.schedules(ONE)

    assert (said(files), package_rules().rules, "theirs" in sys.modules) == ([], {}, False)
    (files.root / "src").rename(files.root / "site-packages")
    monkeypatch.syspath_prepend(str(files.root / "site-packages"))
    assert said(files) == ["ACME001 warning it is there"]
    sys.modules.pop("theirs")


def test_where_no_package_has_rules_nothing_is_imported(files: Project) -> None:
    files.schedules(ONE)
    program = (
        "import sys; from schedsync.__main__ import entry\n"
        "try: entry()\nfinally: print('importlib.metadata' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "validate"], cwd=files.root, capture_output=True, text=True, check=True
    )

    assert done.stderr.splitlines()[-1] == "False"


def test_the_first_package_of_a_name_counts(
    files: Project, install: Install, tmp_path_factory: pytest.TempPathFactory
) -> None:
    install()
    later = tmp_path_factory.mktemp("later")
    write_package(later, "acme_rules", "0.9", "raise ValueError", "[schedsync.rules]\nacme = acme_rules:RULE\n")
    sys.path.append(str(later))
    files.schedules(ONE)
    try:
        assert said(files) == ["ACME001 warning it is there"]
    finally:
        sys.path.remove(str(later))


def test_a_rule_that_compares_with_the_application_gets_its_values(files: Project, install: Install) -> None:
    body = "yield Found(schedule, str(context.application and context.application.queues))"
    install(_package(body, needs_application="True"))
    options = Options(select=("ACME",))

    assert [one.message for one in found(files, ONE, options)] == ["None"]
    assert [one.message for one in found(files, ONE, options, known=True)] == ["('celery', 'reports')"]
    assert "ACME001" in (_about_the_application(Config()).select or ())


@pytest.mark.parametrize(
    ("lint", "message"),
    [
        (
            'ignore = ["ACME"]',
            "rule ACME001 (there) is switched off in `[lint]`; that concerns 1 finding, 0 of them new",
        ),
        (
            'severity = {ACME001 = "info"}',
            "findings of ACME001 (there) change from warning to info; that concerns 1 finding, 0 of them new",
        ),
    ],
)
def test_a_rule_of_a_package_that_a_change_weakens_is_shown(
    checkout: Checkout,  # noqa: F811
    install: Install,
    lint: str,
    message: str,
) -> None:
    install(RULE)
    checkout.write("", "schedsync.toml")
    checkout.schedules(ONE)
    checkout.commit()
    checkout.write(f"[lint]\n{lint}\n", "schedsync.toml")

    assert [one["message"] for one in checkout.json()["findings"] if one["code"] == "SS168"] == [message]


@pytest.mark.parametrize("kind", ["each", "whole"])
def test_a_comment_over_a_rule_of_a_package_is_shown(
    checkout: Checkout,  # noqa: F811
    install: Install,
    kind: str,
) -> None:
    whole = RULE.replace("each=each", "whole=lambda context: [Found(context.schedules[0], 'all of them', None, None)]")
    install(whole if kind == "whole" else RULE)
    checkout.schedules(ONE)
    checkout.commit()
    checkout.schedules(ONE.rstrip("\n") + "  # schedsync: ignore[ACME001]\n")
    said = [one["message"] for one in checkout.json()["findings"] if one["code"] == "SS168"]

    assert [message.partition(":")[0] for message in said] == ["a comment in the file ignores ACME001 (there)"]
