"""Every kind of bad file: a clear message at the place of the value at fault, once, and no file hides another."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Project

HEAD = "version: 1\nschedules:\n  a:\n    task: t\n"
EVERY = HEAD + "    every: 5m\n"


def crontab(text: str) -> str:
    return f'{HEAD}    crontab: "{text}"\n'


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 10)
)

#: Name, content, and what is found: line, column, code, and the beginning of the message.
BAD: list[tuple[str, str | bytes, list[tuple[int, int, str, str]]]] = [
    ("not yaml", "version: 1\nschedules: [\n", [(3, 1, "SS103", "not YAML: did not find expected node")]),
    ("not utf-8", b"version: 1\n# caf\xe9\n", [(2, 6, "SS102", "not UTF-8: byte 0xe9")]),
    ("empty", "", [(1, 1, "SS122", "the file is empty")]),
    ("only a comment", "# nothing\n", [(1, 1, "SS122", "the file is empty")]),
    ("a list at the top", "- version: 1\n", [(1, 1, "SS121", "the file takes a mapping, not a list")]),
    ("a list of schedules", "version: 1\nschedules:\n  - task: t\n", [(2, 1, "SS121", "`schedules` takes a mapping, not a list")]),
    ("tabs", "version: 1\nschedules:\n\ta: {task: t, every: 5m}\n", [(3, 1, "SS103", "not YAML: found character")]),
    ("a duplicate key", EVERY + "    every: 6m\n", [(6, 5, "SS106", "duplicate key `every`, first defined at line 5")]),
    ("a deep duplicate key", EVERY + "    kwargs: {x: {y: {z: 1, z: 2}}}\n", [(6, 28, "SS106", "duplicate key `z`")]),
    ("an alias bomb", "version: 1\n" + BOMB, [(8, 15, "SS104", "more than 2,000,000 values")]),
    ("an anchor in itself", "version: 1\nx-a: &a [*a]\n", [(2, 10, "SS104", "`*a` contains itself")]),
    ("deep nesting", "version: 1\nx-a: " + "[" * 900, [(2, 105, "SS104", "nested more than 100 levels deep")]),
    ("a number of 10,000 digits", EVERY + f"    kwargs: {{n: {'9' * 10_000}}}\n", [(6, 17, "SS109", "a number of 10000 digits")]),
    ("a number too large", EVERY + "    kwargs: {n: 1e999}\n", [(6, 17, "SS109", "`1e999` is too large")]),
    ("nan", EVERY + "    kwargs: {n: .nan}\n", [(6, 17, "SS109", "`.nan` is not a number that JSON can hold")]),
    ("inf as an interval", HEAD + "    every: .inf\n", [(5, 12, "SS109", "`.inf` is not a number that JSON can hold")]),
    ("a control character", EVERY + "    queue: a\x01b\n", [(6, 13, "SS103", "not YAML: the control character U+0001")]),
    ("a tag", EVERY + "    kwargs: {n: !!python/name:os.system x}\n", [(6, 17, "SS107", "explicit tag")]),
    ("two documents", EVERY + "---\nversion: 1\n", [(6, 1, "SS108", "a second document")]),
    ("no version", "schedules: {}\n", [(1, 1, "SS122", "`version` is missing")]),
    ("version 2", "version: 2\n", [(1, 10, "SS123", "`version` takes 1, not `2`")]),
    ("version as text", 'version: "1"\n', [(1, 10, "SS123", '`version` takes 1, not `"1"`')]),
    ("an unknown key", EVERY + "    quue: x\n", [(6, 5, "SS120", "unknown key `quue`")]),
    ("a wrong type", EVERY + "    kwargs: [1]\n", [(6, 5, "SS121", "`kwargs` takes a mapping, not a list")]),
    ("an interval without a unit", HEAD + "    every: 5\n", [(5, 12, "SS121", "`every` takes text, not `5`")]),
    ("no task", "version: 1\nschedules:\n  a: {every: 5m}\n", [(3, 3, "SS122", "`a` has no `task`")]),
    ("a task with a line break", "version: 1\nschedules:\n  a: {task: \"t\\n\", every: 5m}\n", [(3, 13, "SS123", "`task` with the control character U+000A")]),
    ("a task with white space", "version: 1\nschedules:\n  a: {task: a b, every: 5m}\n", [(3, 13, "SS123", "`task` must not contain white space")]),
    ("a placeholder that is no identifier", "version: 1\nschedules:\n  x-{a-b}: {task: t, every: 5m, for_each: {a-b: [x]}}\n", [(3, 33, "SS123", "`a-b` cannot name a placeholder")]),
    ("a field to ignore that is none", EVERY + "    ignore_changes: [queu]\n", [(6, 22, "SS123", "an item takes one of task, timing")]),
    ("a misspelt word", EVERY + "    missed_runs: lates\n", [(6, 18, "SS123", "`missed_runs` takes one of latest, all, none, null; did you mean `latest`?")]),
    ("a skip without an end", EVERY + "    overlap: skip\n", [(6, 14, "SS139", "`overlap: skip` needs `max_runtime`"), (6, 14, "SS221", "stock Beat does not know `overlap`")]),
    ("a skip whose end is null", EVERY + "    overlap: skip\n    max_runtime: null\n", [(6, 14, "SS139", "`overlap: skip` needs `max_runtime`"), (6, 14, "SS221", "stock Beat does not know `overlap`")]),
    ("a skip with no time", EVERY + "    overlap: skip\n    max_runtime: 0s\n", [(6, 14, "SS221", "stock Beat does not know `overlap`"), (7, 18, "SS133", "`0s` is not a valid runtime")]),
    ("a runtime as a number", EVERY + "    max_runtime: 5\n", [(6, 18, "SS121", "`max_runtime` takes text, not `5`")]),
    ("a monitor that is text", EVERY + "    monitor: 'yes'\n", [(6, 14, "SS121", "`monitor` takes true or false or a mapping")]),
    ("a monitor with an unknown key", EVERY + "    monitor: {grac: 5m}\n", [(6, 15, "SS120", "unknown key `grac`")]),
    ("a monitor with a number", EVERY + "    monitor: {grace: 5}\n", [(6, 22, "SS121", "`grace` takes text, not `5`")]),
    ("a monitor with a short grace", EVERY + "    monitor: {grace: 59s}\n", [(6, 22, "SS133", "`59s` is not a valid `grace` of a monitor")]),
    ("a monitor with a long run", EVERY + "    monitor: {max_runtime: 29d}\n", [(6, 28, "SS133", "`29d` is not a valid `max_runtime` of a monitor")]),
    ("a monitor of the sun", HEAD + "    solar: {event: sunset, latitude: 1, longitude: 1}\n    monitor: true\n", [(6, 14, "SS139", "no service can watch `a`: it follows the sun")]),
    ("a monitor of one run", crontab("0 5 * * *") + "    one_off: true\n    monitor: {}\n", [(6, 14, "SS209", ""), (7, 14, "SS139", "no service can watch `a`: it runs once")]),
    ("a monitor of seconds", HEAD + "    every: 90s\n    monitor: true\n", [(6, 14, "SS139", "no service can watch `a`: it has an interval")]),
    ("a monitor of both days", crontab("0 0 1-7 * mon") + "    monitor: true\n", [(6, 14, "SS139", "no service can watch `a`: it runs on days that match both")]),
    ("a word that is none", EVERY + "    delivery: 3\n", [(6, 15, "SS123", "`delivery` takes one of at_least_once")]),
    ("an empty only_in", EVERY + "    only_in: []\n", [(6, 5, "SS123", "`only_in` must not be empty")]),
    ("for_each with a number", "version: 1\nschedules:\n  a-{t}: {task: t, every: 5m, for_each: {t: 3}}\n", [(3, 42, "SS121", "`t` takes a list of values")]),
    ("a single brace", "version: 1\nschedules:\n  a-{t}: {task: t, every: 5m, for_each: {t: [x]}, description: 'a { b'}\n", [(3, 67, "SS151", "a single `{`")]),
    ("a placeholder where none is filled", "version: 1\nschedules:\n  a-{t}: {task: 'x.{t}', every: 5m, for_each: {t: [x]}}\n", [(3, 17, "SS151", "`task` takes no placeholders")]),
    ("an unknown alias of a crontab", HEAD + "    crontab: '@reboot'\n", [(5, 14, "SS131", "unknown alias `@reboot`")]),
    ("a merge of nothing", EVERY + "    kwargs: {<<: 3}\n", [(6, 18, "SS103", "`<<` takes a mapping")]),
    ("an end before the start", EVERY + "    start_at: 2030-01-02T00:00:00Z\n    expires_at: 2030-01-01T00:00:00Z\n", [(7, 17, "SS139", "`expires_at` is not after `start_at`")]),
    ("a long name", f"version: 1\nschedules:\n  {'n' * 201}: {{task: t, every: 5m}}\n", [(3, 3, "SS140", "a name of 201 characters")]),
    ("a name with a control character", 'version: 1\nschedules:\n  "a\\u0007b": {task: t, every: 5m}\n', [(3, 3, "SS140", "a name with the control character U+0007")]),
    ("a name that turns the direction", 'version: 1\nschedules:\n  "a\\u202eb": {task: t, every: 5m}\n', [(3, 3, "SS140", "a name with the control character U+202E")]),
    ("a name of Beat's", "version: 1\nschedules:\n  celery.backend_cleanup: {task: t, every: 5m}\n", [(3, 3, "SS143", "`celery.backend_cleanup` belongs to Beat")]),
    ("an unknown zone", crontab("0 5 * * *") + "    timezone: Europe/Berln\n", [(6, 15, "SS137", "unknown time zone `Europe/Berln`")]),
    ("every 0s", HEAD + "    every: 0s\n", [(5, 12, "SS133", "an interval is more than 0 and at most a century")]),
    ("every -5m", HEAD + "    every: -5m\n", [(5, 12, "SS123", "`every` takes one whole number and us, s, m, h or d")]),
    ("an interval that does not fit", HEAD + "    every: 3000000001us\n", [(5, 12, "SS133", "the table holds at most 2,147,483,647 microseconds")]),
    ("4 fields", crontab("0 5 * *"), [(5, 14, "SS131", "a crontab has 5 fields, this one has 4")]),
    ("6 fields", crontab("0 0 5 * * *"), [(5, 14, "SS131", "a crontab has 5 fields, this one has 6")]),
    ("minute 60", crontab("60 5 * * *"), [(5, 15, "SS131", "minute: `60` is not within 0-59")]),
    ("a wrong field inside the text", crontab("0 5 * 13 *"), [(5, 21, "SS131", "month_of_year: `13` is not within 1-12")]),
    ("a wrong part inside a field", crontab("0,15,75 5 * * *"), [(5, 20, "SS131", "minute: `75` is not within 0-59")]),
    ("two wrong fields", crontab("60 24 * * *"), [(5, 15, "SS131", "minute: `60`"), (5, 18, "SS131", "hour: `24`")]),
    ("step 0", crontab("*/0 * * * *"), [(5, 17, "SS131", "minute: the step `0` is not within 1-59")]),
    ("L", crontab("0 5 L * *"), [(5, 19, "SS131", "day_of_month: `L` is not a day of month")]),
    ("a misspelt day", crontab("0 5 * * mon-firday"), [(5, 27, "SS131", "day_of_week: `firday` is not a day of week")]),
    ("a reversed range", crontab("30-10 5 * * *"), [(5, 15, "SS131", "minute: the range `30-10` is reversed")]),
    ("a day that never is", crontab("0 5 30 2 *"), [(5, 14, "SS132", "none of these months has such a day")]),
    ("an unquoted star", HEAD + "    crontab: * * * * *\n", [(5, 15, "SS103", "not YAML: did not find expected alphabetic")]),
    ("a float in a crontab mapping", HEAD + "    crontab: {minute: 5.0}\n", [(5, 23, "SS121", "`minute` takes text or a whole number")]),
    ("a latitude beyond 90", HEAD + "    solar: {event: sunset, latitude: 90.1, longitude: 0}\n", [(5, 38, "SS123", "`latitude` must be at most 90")]),
    ("an unknown event", HEAD + "    solar: {event: sunst, latitude: 9, longitude: 0}\n", [(5, 20, "SS123", "`event` takes one of")]),
    ("an incomplete event", HEAD + "    solar: {event: sunset}\n", [(5, 5, "SS122", "`latitude` is missing"), (5, 5, "SS122", "`longitude` is missing")]),
    ("two timings", EVERY + '    crontab: "0 5 * * *"\n', [(5, 12, "SS130", "`a` has 2 timings: crontab, every")]),
    ("no timing", HEAD, [(3, 3, "SS130", "`a` has no timing")]),
    ("kwargs with keys that are no text", EVERY + "    kwargs: {1: x, true: y}\n", [(6, 14, "SS111", "a key must be text, not `1`"), (6, 20, "SS111", "a key must be text, not `true`")]),
    ("an instant without offset", HEAD + "    at: 2030-01-01T00:00:00\n", [(5, 9, "SS136", "`2030-01-01T00:00:00` has no offset")]),
    ("an instant that is none", HEAD + "    at: 2030-02-30T00:00:00Z\n", [(5, 9, "SS136", "`2030-02-30T00:00:00Z` is not in the calendar")]),
    ("both expiries", EVERY + "    expires_after: 5m\n    expires_at: 2030-01-01T00:00:00Z\n", [(7, 17, "SS139", "`expires_after` and `expires_at` exclude")]),
    ("a clocked schedule that repeats", HEAD + "    at: 2030-01-01T00:00:00Z\n    one_off: false\n", [(6, 14, "SS139", "`at` runs once")]),
    ("an expiry of nothing", EVERY + "    expires_after: 0s\n", [(6, 20, "SS133", "`0s` is not a valid expiry")]),
    ("a priority of 256", EVERY + "    priority: 256\n", [(6, 15, "SS123", "`priority` must be at most 255")]),
    ("an empty queue", EVERY + '    queue: ""\n', [(6, 12, "SS123", "`queue` must not be empty")]),
    ("an unknown environment", EVERY + "    only_in: [prod]\n", [(6, 15, "SS144", "unknown environment `prod`")]),
    ("a removed name that is still defined", EVERY + "removed: [a]\n", [(6, 11, "SS145", "`a` is removed here")]),
    ("a rename from itself", EVERY + "    renamed_from: a\n", [(3, 3, "SS146", "`a` is renamed from `a`")]),
    ("an unknown placeholder", "version: 1\nschedules:\n  a-{t}:\n    task: t\n    every: 5m\n    for_each: {t: [x]}\n    kwargs: {t: '{s}'}\n", [(7, 18, "SS151", "unknown placeholder `{s}`")]),
    ("a placeholder without quotes", "version: 1\nschedules:\n  a-{t}:\n    task: t\n    every: 5m\n    for_each: {t: [x]}\n    kwargs: {t: {t}}\n", [(7, 17, "SS151", "`{t}` without quotes is a mapping")]),
    ("a placeholder that the name lacks", "version: 1\nschedules:\n  a:\n    task: t\n    every: 5m\n    for_each: {t: [x]}\n", [(3, 3, "SS151", "the name `a` does not contain `{t}`")]),
    ("a value that is listed twice", "version: 1\nschedules:\n  a-{t}: {task: t, every: 5m, args: ['{t}'], for_each: {t: [x, y, x]}}\n", [(3, 67, "SS150", "the value `x` is listed twice")]),
    ("a missing file of values", "version: 1\nschedules:\n  a-{t}: {task: t, every: 5m, for_each: {t: {file: none.txt}}}\n", [(3, 52, "SS150", "`none.txt` cannot be read")]),
    ("a file of values outside", "version: 1\nschedules:\n  a-{t}: {task: t, every: 5m, for_each: {t: {file: ../../../etc/hostname}}}\n", [(3, 52, "SS", "`../../../etc/hostname`")]),
    ("several mistakes in one schedule", HEAD + '    crontab: "61 * * * *"\n    start_at: 2030-01-01\n    expires_after: 0s\n    quue: x\n', [(5, 15, "SS131", "minute"), (6, 15, "SS136", "`2030-01-01`"), (7, 20, "SS133", "`0s`"), (8, 5, "SS120", "unknown key")]),
]  # fmt: skip
_WARNINGS = {"SS110"}


def validated(project: Project, path: str = "schedules") -> tuple[int, list[dict[str, object]]]:
    done = project.command("validate", path, "--format", "json")
    return done.code, json.loads(done.out)["findings"]


def write(project: Project, name: str, content: str | bytes) -> Path:
    path = project.root / "schedules" / f"{name.replace(' ', '-').replace(',', '')}.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(("name", "content", "expected"), BAD, ids=[name for name, _, _ in BAD])
def test_a_bad_file_is_named_at_the_value_at_fault(
    files: Project, name: str, content: str | bytes, expected: list[tuple[int, int, str, str]]
) -> None:
    write(files, name, content)
    code, findings = validated(files)
    places = [(finding["location"]["line"], finding["location"]["column"]) for finding in findings]  # type: ignore[index]

    assert places == [(line, column) for line, column, _, _ in expected], findings
    for finding, (_, _, rule, message) in zip(findings, expected, strict=True):
        assert str(finding["code"]).startswith(rule)
        assert str(finding["message"]).startswith(message)
    assert code == (0 if {rule for _, _, rule, _ in expected} <= _WARNINGS else 1)


def test_all_bad_files_at_once_are_each_named(files: Project) -> None:
    for name, content, _ in BAD:
        write(files, name, content)
    with (files.root / "schedules/huge.yaml").open("wb") as huge:
        huge.truncate(50 * 2**20)
    (files.root / "outside.yaml").write_text(EVERY)
    (files.root / "schedules/link.yaml").symlink_to("../outside.yaml")
    code, findings = validated(files)
    named = {str(finding["location"]["path"]) for finding in findings}  # type: ignore[index]

    assert code == 1
    assert named == {path.relative_to(files.root).as_posix() for path in (files.root / "schedules").iterdir()}
    assert len(findings) == len({json.dumps(finding) for finding in findings})


def test_a_huge_file_is_not_read(files: Project) -> None:
    with (files.root / "schedules/huge.yaml").open("wb") as huge:
        huge.truncate(50 * 2**20)
    code, findings = validated(files)

    assert (code, [finding["message"] for finding in findings]) == (1, ["50 MB; a file has at most 16 MB"])


def test_symbolic_links_stay_in_the_directory(files: Project) -> None:
    files.write(EVERY, "outside.yaml")
    files.write(EVERY, "outside/b.yaml")
    files.write(EVERY.replace("  a:", "  inside:"), "schedules/.hidden/c.yaml")
    schedules = files.root / "schedules"
    (schedules / "file.yaml").symlink_to("../outside.yaml")
    (schedules / "directory").symlink_to("../outside")
    (schedules / "loop.yaml").symlink_to("loop.yaml")
    (schedules / "gone.yaml").symlink_to("nothing.yaml")
    (schedules / "inside.yaml").symlink_to(".hidden/c.yaml")
    code, findings = validated(files)

    assert code == 1
    assert [(finding["code"], finding["location"]["path"]) for finding in findings] == [  # type: ignore[index]
        ("SS105", "schedules/directory"),
        ("SS105", "schedules/file.yaml"),
        ("SS101", "schedules/gone.yaml"),
        ("SS101", "schedules/loop.yaml"),
    ]
    assert "1 schedule in 1 file" in files.validate().err


def test_a_duplicate_name_in_two_files_names_both_places(files: Project) -> None:
    files.write(EVERY, "schedules/a.yaml")
    files.write(EVERY, "schedules/deep/down/b.yml")
    _, findings = validated(files)

    assert [(finding["code"], finding["message"], finding["location"]["path"]) for finding in findings] == [  # type: ignore[index]
        ("SS141", "`a` is defined twice, first at schedules/a.yaml:3:3", "schedules/deep/down/b.yml")
    ]


def test_names_that_differ_only_in_case_are_a_warning(files: Project) -> None:
    files.write(EVERY, "schedules/a.yaml")
    files.write(EVERY.replace("  a:", "  A:").replace("every: 5m", "every: 6m"), "schedules/b.yaml")
    code, findings = validated(files)

    assert (code, [(finding["code"], finding["severity"]) for finding in findings]) == (0, [("SS142", "warning")])
    assert "2 schedules in 2 files" in files.validate().err


def test_hidden_and_other_files_are_passed_over(files: Project) -> None:
    files.write(EVERY)
    files.write("not: [yaml", "schedules/.hidden.yaml")
    files.write("not: [yaml", "schedules/README.md")

    assert validated(files) == (0, [])


def test_a_missing_directory_is_no_empty_set(files: Project) -> None:
    done = files.command("validate", "nowhere")

    assert (done.code, "no such file or directory: `nowhere`" in done.err) == (64, True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"), ("yes", "yes"), ("08:30", "08:30"), ("12:30:00", "12:30:00"), ("2026-02-30", "2026-02-30"),
        ("1_000", "1_000"), ("0x1F", 31), ("0o17", 15), ("010", 10), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0),
        ("~", None), ("null", None), ("True", True), ("+12", 12), ("-0", 0), ("0b1", "0b1"), ("=", "="),
    ],
)  # fmt: skip
def test_scalars_are_read_as_yaml_1_2_reads_them(files: Project, text: str, value: object) -> None:
    from schedsync.files.yaml import read

    root, _ = read(f"v: {text}\n".encode(), "x.yaml")

    assert root is not None
    assert root.plain() == {"v": value}
    assert type(root.plain()["v"]) is type(value)


def test_anchors_merges_windows_lines_and_a_mark_at_the_start_work(files: Project) -> None:
    text = (
        "\ufeffversion: 1\r\nx-a: &a {queue: q, every: 1m}\r\nx-b: &b {queue: other, expires_after: 5m}\r\n"
        "schedules:\r\n  a:\r\n    <<: [*a, *b]\r\n    task: t\r\n    every: 2m\r\n"
    )
    files.write(text)
    from schedsync.config import read_config
    from schedsync.files.schedule_set import read_set, resolve_set

    desired, findings = resolve_set(read_set(read_config("schedules")), None)
    spec = desired.schedules["a"].spec

    assert findings == []
    assert (str(spec.timing), spec.queue, spec.expires_after) == ("every 2m", "q", 300)


def test_findings_are_annotations_that_forge_nothing(files: Project) -> None:
    files.write('version: 1\nschedules:\n  "a\\n::error::forged": {task: t}\n', "schedules/a,b%.yaml")
    done = files.validate("--format", "github")

    assert done.code == 1
    assert all(line.startswith("::error title=SS1") for line in done.out.splitlines())
    assert "file=schedules/a%2Cb%25.yaml,line=3,col=3" in done.out


def test_a_file_name_that_is_no_text_is_shown(files: Project) -> None:
    name = os.fsencode(str(files.root / "schedules")) + b"/b\xff.yaml"
    Path(os.fsdecode(name)).write_text("")

    assert [finding["location"]["path"] for finding in validated(files)[1]] == ["schedules/b\\udcff.yaml"]  # type: ignore[index]


def test_the_fast_validator_accepts_nothing_that_the_schema_refuses(files: Project) -> None:
    import jsonschema

    from schedsync.files.yaml import read
    from schedsync.schemas.validator import SCHEDULES, conforms, schema_text

    validator = jsonschema.Draft7Validator(json.loads(schema_text(SCHEDULES)))
    for _, content, _ in BAD:
        root, _ = read(content if isinstance(content, bytes) else content.encode(), "x.yaml")
        if root is not None:
            assert validator.is_valid(root.plain()) or not conforms(root.plain(), SCHEDULES)
