"""The map of the house is true: its paths exist, and twenty questions are answered where it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/concepts/house.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "schedsync"
#: Question of the page, and the name of the code that answers it.
ANSWERS = {
    "that a stop is refused?": "is_stop",
    "which changes are shown as one?": "groups_across",
    "what is left out of a comment that is too long?": "fitted",
    "which weakened guarantees a review shows?": "Guarantees",
    "that a row which nobody manages is refused until it is adopted?": "refusals",
    "what an apply keeps for hosts without files?": "applied_files",
    "what an apply of the last known files would change?": "preview",
    "which schedules have a line of their own in a timeline, and which runs are one band?": "_merged",
    "that daylight saving skips a slot?": "crontab_slots",
    "what `H` becomes in a crontab?": "_hashed",
    "that two spellings of a timing are equal?": "canonical",
    "which cause a difference has?": "_cause",
    "what of a row can be taken into the files?": "acceptances",
    "which layer of a schedule an accepted field is written into?": "_decide_fields",
    "that only the lines which must change do?": "edit_mapping",
    "that accepted files say what the table holds?": "_compared",
    "that a schedule is held?": "is_held",
    "what becomes of a schedule that no file defines any more?": "Remover",
    "what a rollback goes back to, and what it rejects?": "undo_run",
    "that a rollback is over?": "keep",
    "which runs can be rolled back?": "_check_run",
    "which commits a rollback may go back to?": "_check_earlier",
    "that the branch of a rollback has a conflict?": "prepare",
    "which last run an apply writes?": "last_run_for",
    "when stock Beat fires after an edit?": "next_run",
    "which changes a plan file lets pass?": "compare",
    "that a task or a queue is not allowed?": "refused_changes",
    "which refusals an entry in Git lifts?": "lift",
    "that nothing is applied now, and until when?": "frozen",
    "that a set is frozen, for hosts without files?": "frozen_sets",
    "how long a run takes?": "typical_seconds",
    "which ticks of the past `run` sends?": "Grid",
    "which ticks of the past are known to be sent?": "missing_of",
    "what a run by hand sends?": "HandMessage",
    "which rows may be adopted?": "Adoption",
    "which schedules a selector fits?": "Selector",
    "that a new schedule comes under a pause?": "under_standing",
    "when a standing pause ends?": "_decide_standing",
    "what `ledger rename`, `move` and `release` write?": "release_entries",
    "that a released schedule makes up for no run?": "passed_over",
    "which rows an import leaves out?": "candidates",
    "which entries of the settings an import leaves out, and what their rows say?": "entry_candidates",
    "which entries of the settings a patch deletes?": "places",
    "which source `init` takes a schedule from?": "import_both",
    "where `init` writes, and which CI it finds?": "ci_of",
    "which set name and environments `init` proposes?": "project_name",
    "which lines of a crontab become which schedules?": "line_candidates",
    "that an import says what its source holds?": "problems",
    "which text of YAML is in quotes?": "_reads_as_other",
    "the order of the keys of a file?": "SCHEDULE_KEYS",
    "where a comment belongs?": "_leading",
    "that formatting changes no meaning?": "difference",
    "that files differ from their commit?": "differing_files",
    "which commits a review compares?": "range_of",
    "what a sparse checkout leaves out?": "absent_files",
    "which names the database takes for one?": "same_names",
    "that an apply needs a plan file?": "plan_required",
    "that a plan is stale?": "fingerprint",
    "what is written again after a commit?": "repair",
    "which database errors are tried again?": "fault_of",
    "which schedule rows are deleted?": "collect_orphans",
    "which exit code an error has?": "Refused",
    "that a run differs between two sides?": "only_in",
    "that an entry of the settings cannot be taken?": "timing_of",
    "that a line of a crontab cannot be taken?": "parse_crontab",
    "which value wins: defaults, schedule or environment?": "layered",
    "which values a function of the application may give?": "source_of",
    "where the values of a `for_each` come from?": "placeholders_of",
    "that a review cannot compare a definition?": "not_expanded",
    "which rules of other packages are used?": "package_rules",
    "that a rule of another package failed?": "bounded",
    "how many schedules a set may have?": "MAX_SCHEDULES",
    "that a file outside the directory is not read?": "OutsideError",
    "how a masked secret looks?": "MASK",
    "which Beat leads?": "Leadership",
    "that a Beat must not lead?": "LeadChecks",
    "that a clock is wrong?": "ClockCheck",
    "which environment a database belongs to?": "bind_at_apply",
    "which tick is due after an outage?": "due",
    "that everything is paused, and what is not sent afterwards?": "FullyPaused",
    "that a tick waits for the last run?": "Overlap",
    "when a run starts and ends?": "track_runs",
    "when a claim is forgotten?": "forget_deleted",
    "which waiting ticks are sent later, and which are dropped?": "_is_wanted",
    "which messages are sent alone?": "_goes_alone",
    "what an error of the broker says of a message?": "fate_of",
    "which messages Celery does not build?": "is_plain",
    "why a tick was not sent?": "past_answer",
    "what `why` reads of a schedule?": "read_records",
    "who is at work, and for which pull request?": "pipeline_of",
    "what `history` knows of a name?": "lives_of",
    "how long the history is kept?": "history_keep",
    "that a schedule is overdue?": "late",
    "which rows `status` reads in full?": "odd_ids",
    "what `status` lists by SQL?": "listed",
    "that the database judges arguments itself?": "ids_with_bad_arguments",
    "that `status` says NOT OK?": "judge",
    "what a Beat reports of itself?": "Report",
    "which metrics there are?": "METRICS",
    "what a scrape reads, and which schedules have metrics of their own?": "MOST_SCHEDULES",
    "which class of the admin is changed, and when?": "prepare",
    "that a row cannot be edited in the admin?": "is_locked",
    "what an action of the admin does to managed rows?": "guarded_actions",
    "what the admin says where it leaves a row alone?": "ways_out",
    "that a schedule is open for editing?": "close",
    "who may read the metrics?": "PERMISSION",
    "that an alarm is sent, sent again or over?": "decide",
    "that only one process sends an alarm?": "claim",
    "which alarms Beat sees?": "Clerk",
    "which alarms are urgent?": "URGENT",
    "that a schedule's runs fail?": "failing_schedules",
    "that a name of a schedule is no markup in an alarm?": "harmless",
    "which schedules a service can watch?": "unwatchable",
    "which monitors are made, changed and deleted?": "steps",
    "that a monitor is muted or unmuted where nobody waits for it?": "owed",
    "which words of an error are logged?": "masked_error",
    "under which slug a service has a schedule?": "sentry_slug",
    "how long a service may keep an apply waiting?": "Budget",
    "when Beat gives a sign of life?": "Alive",
    "what the page in the admin shows, and in which order?": "ORDER",
    "what a form of the admin does, and who may send it?": "ACTIONS",
    "which schedules are on a page of the list?": "page_of_names",
    "how long the journal is kept?": "journal_keep",
    "which commit an agent applies next?": "next_commit",
    "which commit that others applied an agent keeps?": "may_follow",
    "that a commit is signed by one of the given keys?": "check_signature",
    "how long and how large a fetch may be?": "run_bounded",
    "that an agent's directory is made again, and which settings of Git count there?": "prepare",
    "that an apply is rolled back because of a first run?": "next_state",
    "how a first run after an apply ended?": "judge",
    "what an agent does in a turn?": "Turns",
    "when a follow takes a turn?": "Follow",
    "that a follow keeps no other waiting?": "Loop",
    "that two follows may not keep one set?": "_check_sets",
    "what a forge is told of a commit, and what not?": "CommitReports",
    "where a snapshot may be published, and what an address may send?": "place_of",
    "that a branch of snapshots has one commit, and that of others is left alone?": "_check_ours",
    "that a forge is told once?": "ForgeReports",
    "what a token of a service may be?": "token_of",
    "that a service that hangs delays no turn of an agent, and is asked again?": "Background",
    "to which host a token of a forge is sent?": "forge_of",
    "which agent acts?": "AgentLease",
    "that a call of the hook is genuine?": "is_genuine",
}


def questions() -> dict[str, list[str]]:
    """Return the questions of the page, each with the files that answer it."""
    table = PAGE.split("## Where is it decided")[1]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", table, flags=re.MULTILINE)
    return {question: re.findall(r"`([^`]+\.py)`", files) for question, files in rows if question.endswith("?")}


def names_in(path: Path) -> set[str]:
    """Return the names of all functions, classes and constants that a module defines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def test_every_path_that_the_map_names_exists() -> None:
    paths = re.findall(r"`([\w./-]+/[\w.-]*|[\w.-]+\.(?:py|md|toml))`", PAGE)
    missing = [path for path in paths if not any((base / path).exists() for base in (ROOT, PACKAGE))]

    assert missing == []
    assert len(paths) > 40


def test_every_link_of_the_map_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", PAGE)

    assert [link for link in links if not (ROOT / "docs/concepts" / link).exists()] == []


def test_every_room_is_on_the_map_and_says_what_it_is() -> None:
    rooms = [path.parent for pattern in ("*", "render/*") for path in PACKAGE.glob(f"{pattern}/__init__.py")]
    described = {
        room.relative_to(PACKAGE).as_posix(): ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
        for room in rooms
        if room.name not in ("management", "migrations")
    }

    assert [name for name in described if f"`{name}/`" not in PAGE] == []
    assert [
        name for name, text in described.items() if not {"Begin", "import"} <= set(re.findall(r"Begin|import", text))
    ] == []


def test_few_modules_are_loose() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def test_the_page_asks_the_questions_that_are_tested() -> None:
    assert sorted(questions()) == sorted(ANSWERS)
    assert len(ANSWERS) >= 20


@pytest.mark.parametrize(("question", "name"), ANSWERS.items())
def test_a_question_is_answered_by_at_most_two_files_from_the_map(question: str, name: str) -> None:
    files = questions()[question]

    assert 1 <= len(files) <= 2
    assert any(name in names_in(PACKAGE.parent / file) for file in files)
