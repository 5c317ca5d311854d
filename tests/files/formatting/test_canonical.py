"""The canonical form of a file: what moves, what is spelled anew, and what stays as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schedsync.files.document import Document
from schedsync.files.formatting.canonical import canonical_text
from schedsync.files.formatting.proof import difference
from schedsync.files.formatting.roles import DEFAULTS_KEYS, SCHEDULE_KEYS
from schedsync.files.yaml import read
from schedsync.schemas.validator import SCHEDULES, schema_text
from tests.files.formatting.forms import format_text

ROOT = Path(__file__).parents[3]
FILES = [path for name in ("schedules", "examples/shop", "tests") for path in sorted((ROOT / name).rglob("*.yaml"))]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def schedule(lines: str) -> str:
    return "version: 1\nschedules:\n  a:\n" + lines


def formatted_schedule(lines: str) -> str:
    result = format_text(schedule(lines))
    assert result.findings == ()
    assert canonical_text(result.after or schedule(lines)) == (result.after or schedule(lines))
    return result.after.removeprefix("version: 1\nschedules:\n  a:\n")


def test_every_key_of_the_format_has_a_place() -> None:
    definitions = json.loads(schema_text(SCHEDULES))["definitions"]

    assert sorted(SCHEDULE_KEYS) == sorted(definitions["schedule"]["properties"])
    assert set(definitions["overrides"]["properties"]) <= set(SCHEDULE_KEYS)
    assert set(json.loads(schema_text(SCHEDULES))["properties"]["defaults"]["properties"]) <= set(DEFAULTS_KEYS)


def test_keys_move_with_their_comments() -> None:
    lines = """\
    # the whole schedule

    # why so late
    every: 60s   # each minute
                 # of the day
    # who
    owner: me
    task: t
    # the end
"""

    assert (
        formatted_schedule(lines)
        == """\
    # the whole schedule

    task: t
    # why so late
    every: 1m   # each minute
                 # of the day
    # who
    owner: me
    # the end
"""
    )


def test_a_comment_that_ignores_a_rule_stays_above_its_line() -> None:
    lines = """\
    every: 1m
      # schedsync: ignore[SS207]
    crontab: "* * * * *"
    task: t
"""

    assert (
        formatted_schedule(lines)
        == """\
    task: t
    # schedsync: ignore[SS207]
    crontab: "* * * * *"
    every: 1m
"""
    )


def test_the_head_of_a_file_stays_at_its_top() -> None:
    text = "# $schema\nschedules: {}\n# all\ndefaults: {queue: q}\nx-a: {}\nversion: 1\n"

    assert canonical_text(text) == "# $schema\nversion: 1\nx-a: {}\n# all\ndefaults: {queue: q}\nschedules: {}\n"


def test_schedules_and_arguments_keep_their_order() -> None:
    text = "version: 1\nschedules:\n  b: {task: t, every: 1h, kwargs: {z: 1, a: 2}}\n  a: {task: t, every: 1h}\n"

    assert canonical_text(text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("every: 3600s", "every: 1h"),
        ("every: '90 s'", "every: 90s"),
        ("every: soon", "every: soon"),
        ("crontab: '0  3 * * * '", 'crontab: "0 3 * * *"'),
        ("crontab: 0 3 * * *", 'crontab: "0 3 * * *"'),
        ("monitor: {max_runtime: 3600s,  grace: '300s'}", "monitor: {grace: 5m, max_runtime: 1h}"),
        ("enabled: True", "enabled: true"),
        ("queue: ~", "queue: null"),
        ("queue:", "queue:"),
        ("queue: 'on'", 'queue: "on"'),
        ("queue: on", 'queue: "on"'),
        ("queue: 'reports'", "queue: reports"),
        ('queue: "caf\\u00e9"', 'queue: "caf\\u00e9"'),
        ("description: 'say \"x\"'", "description: say \"x\""),
        ("description: '{x} \"y\"'", "description: '{x} \"y\"'"),
        ("start_at: '2030-01-01T00:00:00Z'", "start_at: 2030-01-01T00:00:00Z"),
        ("kwargs: { a : 1,b: 'x' , c: [ 1,2, ] }", "kwargs: {a: 1, b: x, c: [1, 2]}"),
        ("kwargs: {every: 60s, crontab: 'x  y'}", "kwargs: {every: 60s, crontab: x  y}"),
        ("kwargs: {on: no}", 'kwargs: {"on": "no"}'),
        ("queue:   x  ", "queue: x"),
        ("queue : x", "queue: x"),
        ("priority: 0x5", "priority: 0x5"),
        ("solar: {longitude: 13, event: sunset, latitude: 52}", "solar: {event: sunset, latitude: 52, longitude: 13}"),
    ],
)  # fmt: skip
def test_a_value_has_one_spelling(before: str, after: str) -> None:
    assert formatted_schedule(f"    {before}\n") == f"    {after}\n"


def test_indentation_is_two_blanks_and_texts_keep_their_own() -> None:
    text = """\
version: 1
schedules:


      a:
            task: t


            args:
            - 1
            # two
            -   x: 2
                y: |
                     deep
                       er

                     end
            description: "one
              two"
            labels: {
              tier: gold
            }
removed:
- b
"""

    assert (
        canonical_text(text)
        == """\
version: 1
schedules:
  a:
    task: t

    args:
      - 1
      # two
      - x: 2
        y: |
          deep
            er

          end
    description: "one
      two"
    labels: {
      tier: gold
    }
removed:
  - b
"""
    )


@pytest.mark.parametrize(
    "text",
    [
        schedule("    every: 1m\n    task: t\n    evry: 1m\n"),
        schedule("    environments: {x: {queue: &q y}}\n    queue: *q\n"),
        schedule("    {every: 1m,\n      task: t}\n"),
        schedule("    every: 1m\n    task: t\n    description: |+\n      x\n\n"),
        schedule("    every: 1m\n    task: t\n    description: |\n      x"),
        "version: 1\nschedules:\n  a: &a {task: t, every: 60s}\n",
        "version: 1\n? x-a\n:  1\n",
        "[version]\n",
        "{schedules: {}, version: 1}\n",
        "--- # head\nversion: 1\n...\n",
    ],
)
def test_what_cannot_move_safely_stays(text: str) -> None:
    assert format_text(text).findings == ()
    assert canonical_text(text) == text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("version: 1\nschedules:\n  a: {task: t, task: u}\n", "SS106 a.yaml:3:16"),
        ("version: 1\n\tx: 1\n", "SS103 a.yaml:2:1"),
        ("", "SS122 a.yaml:1:1"),
        ("version: 1\nschedules: {'a-{x}-{y}': {for_each: {x: {file: a}, y: [1]}}}\nx: !!str 1\n", "SS107 a.yaml:3:4"),
    ],
)
def test_a_file_that_is_not_yaml_is_named_with_its_place(text: str, place: str) -> None:
    (finding, *_) = format_text(text).findings

    assert f"{finding.code} {finding.location}" == place


def test_a_definition_with_too_many_schedules_is_not_expanded() -> None:
    values = list(range(1000))
    definition = f"a-{{x}}-{{y}}: {{task: t, every: 60s, for_each: {{x: {values}, y: {values}}}}}"
    (finding,) = format_text(f"version: 1\nschedules:\n  {definition}\n").findings

    assert finding.code == "SS116"


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ("version: 1\nschedules: {a: {task: t, every: 2m}} # c\n", "its values"),
        ("version: 1\nschedules: {a: {task: t, every: 1m}}\n", "its comments"),
        ("version: 1\nschedules: {a: {task: t, every: 1m}\n", "it could not be read"),
        ("version: 1\nschedules: {a: {every: 60s, task: t}} # c\n", None),
    ],
)
def test_the_proof_finds_what_formatting_must_not_change(after: str, said: str | None) -> None:
    before = "version: 1\nschedules: {a: {task: t, every: 1m}} # c\n"
    root, _ = read(before.encode(), "a.yaml")
    assert root is not None

    assert difference(before, after, Document("a.yaml", root, lambda _: b""), ()) == said


def test_line_ends_a_byte_order_mark_and_odd_characters_stay() -> None:
    text = "\ufeffversion: 1\r\nschedules:\r\n    é🎉: {every: 60s, task: 't\u2028\x85'}"
    result = format_text(text)

    assert result.after == "\ufeffversion: 1\r\nschedules:\r\n  é🎉: {task: 't\u2028\x85', every: 1m}\r\n"
    assert format_text(result.after).is_changed is False


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_of_the_repository_keep_their_meaning(file: Path) -> None:
    result = format_text(file.read_text(encoding="utf-8"))
    twice = format_text(result.after)

    assert [finding for finding in (*result.findings, *twice.findings) if finding.code == "SS183"] == []
    assert twice.is_changed is False


def test_examples_of_the_documentation_are_canonical_and_keep_their_meaning() -> None:
    blocks = [
        block
        for page in PAGES
        for block in re.findall(
            r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        if "task:" in block
    ]
    whole = [block for block in blocks if block.startswith("version: 1\n")]
    parts = [f"version: 1\nschedules:\n{re.sub('^(?=.)', '  ', block, flags=re.MULTILINE)}" for block in blocks]

    assert [block for block in whole if format_text(block).is_changed] == []
    assert [finding for block in parts for finding in format_text(block).findings if finding.code == "SS183"] == []
    assert [block for block in parts if canonical_text(once := canonical_text(block)) != once] == []
    assert (len(whole) > 3, len(blocks) > 40) == (True, True)
