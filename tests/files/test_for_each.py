"""The values of a `for_each`: they may differ by environment, come from a file for each, or from a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedsync.config import read_config
from schedsync.core.sources import Source, source_of
from schedsync.files.discover import SourceFile
from schedsync.files.one_file import ReadFile, read_file
from schedsync.files.schedule_set import read_set, resolve_set
from tests.conftest import Project

TWO = 'environments = ["eu", "us"]\n'
SYNC = "  sync-{tenant}:\n    task: t\n    every: 1h\n    args: ['{tenant}']\n"


def names(files: Project, environment: str | None) -> list[str]:
    """Return the names of the schedules in one environment, of files without findings."""
    desired, findings = resolve_set(read_set(read_config("schedules")), environment)
    assert findings == []
    return list(desired.schedules)


def errors(files: Project, *words: str) -> list[str]:
    """Return the lines of the errors and their hints that `validate` prints, without what the rules find."""
    lines = files.validate(*words).out.splitlines()
    return [line for line in lines if line.startswith("  hint: ") or " SS2" not in line]


#: Where a value of `for_each` is, and how a line about it begins.
PLACE = "schedules/shop.yaml:7:31: error  "


def test_an_environment_replaces_the_values(files: Project) -> None:
    files.write(TWO, "schedsync.toml")
    files.schedules(
        SYNC + "    for_each: {tenant: [acme]}\n"
        "    environments:\n      eu: {for_each: {tenant: [globex, hooli]}, queue: eu}\n      us: {queue: us}\n"
    )

    assert names(files, "eu") == ["sync-globex", "sync-hooli"]
    assert names(files, "us") == ["sync-acme"]
    assert names(files, None) == ["sync-acme"]


def test_an_environment_may_have_no_values_or_take_them_from_a_file(files: Project) -> None:
    files.write(TWO, "schedsync.toml")
    files.write("# customers\nglobex\n\n hooli \n", "schedules/eu/tenants.txt")
    files.schedules(
        SYNC + "    for_each: {tenant: [acme]}\n"
        "    environments: {eu: {for_each: {tenant: {file: eu/tenants.txt}}}, us: {for_each: {tenant: []}}}\n"
    )

    assert names(files, "eu") == ["sync-globex", "sync-hooli"]
    assert names(files, "us") == []


def test_a_file_for_each_environment(files: Project) -> None:
    files.write(TWO, "schedsync.toml")
    files.write("acme\n", "schedules/eu.txt")
    files.write("globex\n", "schedules/us.txt")
    files.schedules(SYNC + "    for_each: {tenant: {file: '{environment}.txt'}}\n")

    assert names(files, "eu") == ["sync-acme"]
    assert names(files, "us") == ["sync-globex"]
    assert "2 schedules in 1 file" in files.validate().err


def test_a_file_of_an_environment_that_is_missing_is_found(files: Project) -> None:
    files.write(TWO, "schedsync.toml")
    files.write("acme\n", "schedules/eu.txt")
    files.schedules(SYNC + "    for_each: {tenant: {file: '{environment}.txt'}}\n")

    assert errors(files, "-e", "eu") == []
    assert errors(files) == [
        PLACE + "SS150  sync-{tenant}: `us.txt` cannot be read: No such file or directory (in us)",
        "  hint: the path is relative to this file",
    ]


def test_an_environment_in_a_file_name_must_be_chosen(files: Project) -> None:
    files.schedules(SYNC + "    for_each: {tenant: {file: '{environment}.txt'}}\n")

    assert errors(files) == [
        PLACE + "SS150  sync-{tenant}: `{environment}.txt` needs an environment, and none is chosen",
        "  hint: give `--environment`, or set SCHEDSYNC_ENVIRONMENT",
    ]
    files.write(TWO, "schedsync.toml")
    done = files.command("forecast", "schedules")
    assert (done.code, "the files differ by environment, and none is chosen" in done.err) == (64, True)


def test_an_environment_does_not_lead_out_of_the_set(files: Project) -> None:
    files.write('environments = ["../outside"]\n', "schedsync.toml")
    files.write("acme\n", "outside.txt")
    files.schedules(SYNC + "    for_each: {tenant: {file: '{environment}.txt'}}\n")

    assert errors(files) == [
        "schedules/shop.yaml:7:31: error  SS105  sync-{tenant}: `../outside.txt` is outside the directory of the set",
    ]


def test_no_other_placeholder_is_filled_in_a_file_name(files: Project) -> None:
    files.write("acme\n", "schedules/{region}.txt")
    files.schedules(SYNC + "    for_each: {tenant: {file: '{region}.txt'}}\n")
    assert names(files, None) == ["sync-acme"]

    files.schedules(SYNC + "    for_each: {tenant: {file: '{enviroment}.txt'}}\n")
    assert errors(files) == [
        PLACE + "SS150  sync-{tenant}: `{enviroment}.txt` cannot be read: No such file or directory",
        "  hint: the only placeholder in the name of a file is `{environment}`",
    ]


@pytest.mark.parametrize(
    ("own", "replacement", "found"),
    [
        (
            "{tenant: [a]}",
            "{tenent: [b]}",
            [
                "8:36: error  SS150  the schedule's own `for_each` has no `tenent`",
                "  hint: did you mean `tenant`?",
            ],
        ),
        (
            "{tenant: [a], region: [x]}",
            "{tenant: [b]}",
            [
                "8:35: error  SS150  the `for_each` of an environment lacks `region`",
                "  hint: an environment replaces the whole `for_each`, so it needs the same keys",
            ],
        ),
        (
            None,
            "{tenant: [b]}",
            [
                "8:35: error  SS150  `for_each` of an environment, but the schedule itself has none",
                "  hint: add one to the schedule: its values are for the other environments",
            ],
        ),
        ("{tenant: [a]}", "3", ["8:35: error  SS121  {tenant}: `for_each` takes a mapping, not `3`"]),
        (
            "{tenant: [a]}",
            "{tenant: {fiel: x}}",
            ["8:36: error  SS121  {tenant}: `tenant` takes a list of values, `{file: NAME}` or `{source: NAME}`"],
        ),
    ],
)
def test_the_values_of_an_environment_have_the_same_keys(
    files: Project, own: str | None, replacement: str, found: Sequence[str]
) -> None:
    name = "'{tenant} {region}'" if own and "region" in own else "'{tenant}'" if own else "plain"
    files.write(TWO, "schedsync.toml")
    files.schedules(
        f"  {name}:\n    task: t\n    every: 1h\n    queue: q\n    {f'for_each: {own}' if own else 'one_off: false'}\n"
        f"    environments: {{eu: {{for_each: {replacement}}}}}\n"
    )

    assert errors(files) == [line if line.startswith("  ") else f"schedules/shop.yaml:{line}" for line in found]


def test_too_many_values_in_one_environment_are_too_many(files: Project) -> None:
    files.write(TWO, "schedsync.toml")
    values = [f"x{number}" for number in range(450)]
    files.schedules(
        "  '{a}-{b}':\n    task: t\n    every: 1h\n    for_each: {a: [x], b: [x]}\n"
        f"    environments: {{us: {{for_each: {{a: &a {values}, b: *a}}}}}}\n"
    )

    assert "SS116  202,500 schedules up to here; a set has at most 200,000" in files.validate().out


def read_with(text: str, sources: Mapping[str, Source]) -> ReadFile:
    """Return a file of schedules, read where these sources are known."""
    data = f"version: 1\nschedules:\n{text}".encode()

    def beside(_name: str) -> bytes:
        raise FileNotFoundError

    file = SourceFile("a.yaml", len(data), lambda: data, beside)
    return read_file(file, ("eu", "us"), sources=lambda name, _: sources.get(name))


FROM_SOURCE = SYNC + "    for_each: {tenant: {source: tenants}}\n"


def test_a_source_gives_the_values_and_keeps_their_type() -> None:
    part = read_with(FROM_SOURCE, {"tenants": source_of("tenants", ["b", 7, "a"])}).part(None)

    assert [(each.name, each.spec.args) for each in part.schedules] == [
        ("sync-7", "[7]"),
        ("sync-a", '["a"]'),
        ("sync-b", '["b"]'),
    ]
    assert (part.findings, part.unexpanded) == ((), ())


def test_without_the_source_the_definition_is_named_and_makes_nothing() -> None:
    file = read_with(FROM_SOURCE, {})
    part = file.part("eu")

    assert (file.findings, part.schedules, part.findings) == ((), (), ())
    assert [(each.name, each.sources, str(each.location)) for each in part.unexpanded] == [
        ("sync-{tenant}", ("tenants",), "a.yaml:3:3")
    ]


def test_a_source_with_a_problem_is_an_error_at_its_place() -> None:
    problem = Source((), "the source `tenants` failed: no route to redis://:hunter22@cache", "correct it there")
    part = read_with(FROM_SOURCE, {"tenants": problem}).part(None)

    assert part.schedules == ()
    assert [str(each.location) for each in part.findings] == ["a.yaml:7:33"]
    assert [(each.code, "hunter22" in each.message, each.hint) for each in part.findings] == [
        ("SS152", False, "correct it there")
    ]


def test_placeholders_are_checked_without_the_source() -> None:
    part = read_with(FROM_SOURCE.replace("'{tenant}'", "'{tenent}'"), {}).part(None)

    assert [(each.code, each.hint) for each in part.findings] == [("SS151", "did you mean `tenant`?")]
    assert part.unexpanded == ()


def test_the_values_of_sources_multiply_and_are_counted_before_they_are_expanded() -> None:
    text = "  '{a}-{b}': {task: t, every: 1h, for_each: {a: {source: tenants}, b: {source: tenants}}}\n"
    known = {"tenants": source_of("tenants", range(1_000))}

    assert read_with(text, known).size.schedules == 1_000_000
    assert read_with(text, {}).size.schedules == 0


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("every: 1h", "every: 1h # a comment", True),
        ("every: 1h", "every: 2h", False),
        ("{source: tenants}", "{source: customers}", False),
        ("{source: tenants}", "{source: tenants}, region: [eu]", False),
        ("args: ['{tenant}']", "args: ['{tenant}', x]", False),
    ],
)
def test_two_definitions_are_the_same_if_all_but_the_values_is(before: str, after: str, same: bool) -> None:
    text = FROM_SOURCE.replace("sync-{tenant}", "sync-{tenant}-{region}" if "region" in after else "sync-{tenant}")
    old, new = (read_with(each, {}).part(None).unexpanded for each in (FROM_SOURCE, text.replace(before, after)))

    assert ([each.written for each in old] == [each.written for each in new]) is same


@given(st.sets(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8), min_size=1))
def test_a_source_a_list_and_a_file_make_the_same_schedules(values: set[str]) -> None:
    in_order = sorted(values)
    known = read_with(FROM_SOURCE, {"tenants": source_of("tenants", values)}).part(None)
    written = read_with(FROM_SOURCE.replace("{source: tenants}", str(in_order)), {}).part(None)

    assert [(each.name, each.spec) for each in known.schedules] == [
        (each.name, each.spec) for each in written.schedules
    ]
