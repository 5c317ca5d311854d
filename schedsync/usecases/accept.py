"""Takes what somebody changed in the tables into the files; nothing is written before the files are read again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schedsync.core.acceptance import Acceptance, Accepted, FileEdit, NotAccepted
from schedsync.core.change import Rename
from schedsync.core.names import counted, first_names
from schedsync.core.observed import Managed, Row
from schedsync.core.selector import Candidate, Selector
from schedsync.database.admin_log import last_edits
from schedsync.database.faults import database_errors
from schedsync.errors import WrongUsage
from schedsync.files.masking import masked_pair
from schedsync.files.rewrite import rewrite
from schedsync.git.branch import check_branch, commit_on_branch
from schedsync.importers.accepted_pieces import Placing
from schedsync.importers.draft import Draft
from schedsync.importers.piece import Piece, Scope
from schedsync.importers.rows import Tables, candidates
from schedsync.lint.secret import secrets_in
from schedsync.planning.accepting import acceptances, taken_by
from schedsync.planning.plan import Plan
from schedsync.usecases import sync
from schedsync.usecases.accepted_files import BOM, FilesOfSet, read_files_of_set, written_into
from schedsync.usecases.import_database import read_tables
from schedsync.usecases.selection import choose
from schedsync.usecases.sources import sources_in_settings
from schedsync.usecases.target import Target


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to accept: the schedules that fit the selector.

    ``everywhere`` changes all environments, not only the one whose table was read. ``file`` is where new schedules go,
    None for the file that has schedules like them. ``branch`` is the one to commit on, None to write the files.
    """

    selector: Selector
    everywhere: bool = False
    file: str | None = None
    branch: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What would be accepted, and the bytes of the files before and after."""

    accepted: Accepted
    contents: dict[Path, tuple[bytes, bytes]]

    def write(self) -> None:
        """Write the files; raises Failed, with nothing written, where one of them changed or cannot be written."""
        rewrite(self.contents)

    def commit(self, branch: str, message: str) -> str:
        """Commit the files on a new branch; returns the commit's id. Raises WrongUsage and Failed."""
        return commit_on_branch(self.contents, branch, message)


def prepare(target: Target, wanted: Wanted) -> Prepared:
    """Return what of the selected schedules the files can take over; nothing is written.

    Raises WrongUsage where the selector fits nothing or the options contradict each other, and what a plan raises.
    """
    if wanted.branch is not None:
        check_branch(target.config.paths[0], wanted.branch)
    drift = sync.drift(target)
    target.progress("reading the files")
    sources = sources_in_settings()
    files = read_files_of_set(target, sources)
    chosen = _chosen(drift, wanted.selector)
    found = list(acceptances(drift, {each.name for each in chosen if each.set is not None}))
    left = [each for each in found if isinstance(each, NotAccepted)]
    tables = read_tables(target.using) if any(each.set is None for each in chosen) else None
    scope = _scope(target, wanted, tables)
    placing = Placing(files.by_path, files.desired, scope)
    pieces: list[tuple[str, Piece]] = []
    placed = [placing.existing(each) for each in found if isinstance(each, Acceptance)]
    if tables is not None:
        placed += _added(target, wanted, tables, placing, [each.name for each in chosen if each.set is None])
    for each in placed:
        if isinstance(each, NotAccepted):
            left.append(each)
        else:
            pieces.append(each)
    target.progress(f"writing {counted(len(pieces), 'change')}")
    result = written_into(files, pieces, scope, placing)
    return _prepared(target, files, result.taken, [*left, *result.left], result.texts)


def _chosen(drift: Plan, selector: Selector) -> list[Candidate]:
    """Return the schedules that are selected.

    A row that nobody manages has to be named, or to fit a glob: nobody takes all of them by accident. A schedule with
    two names, in the files and in the table, can be given by each; its name is the one that the plan has.
    """
    ledger, plan_names = dict(drift.observed.ledger), {}
    for change in drift.drifted:
        if isinstance(change, Rename) and (entry := ledger.get(change.old_name) or ledger.get(change.name)):
            ledger |= {change.old_name: entry, change.name: entry}
            plan_names[change.old_name] = change.name
    managed = [_candidate(drift, name, ledger[name]) for name in sorted(ledger)]
    if not selector.names and not selector.globs:
        chosen = choose(selector, managed, "managed schedule")
    else:
        ours = {entry.row_id for entry in drift.observed.ledger.values()}
        rows = [row for name, row in sorted(drift.observed.rows.items()) if _is_unmanaged(drift, name, row, ours)]
        strangers = [Candidate(row.name, None, row.spec.queue if row.spec else None) for row in rows]
        chosen = choose(selector, [*managed, *strangers])
    return [each._replace(name=plan_names.get(each.name, each.name)) if each.set else each for each in chosen]


def _is_unmanaged(drift: Plan, name: str, row: Row, ours: set[int | None]) -> bool:
    observed = drift.observed
    is_known = name in observed.ledger or name in observed.elsewhere or row.id in ours
    return not is_known and not name.startswith("celery.")


def _candidate(drift: Plan, name: str, entry: Managed) -> Candidate:
    row = drift.observed.find(name, entry.row_id)
    queue = row.spec.queue if row is not None and row.spec is not None else None
    return Candidate(name, entry.set, queue, entry.people.owner, entry.people.labels)


def _scope(target: Target, wanted: Wanted, tables: Tables | None) -> Scope:
    from django.utils.timezone import get_default_timezone

    environment = target.environment
    if wanted.everywhere and environment is None:
        raise WrongUsage("`--everywhere` needs an environment, whose table is read", hint="give `-e NAME`")
    typed = tables.typed if tables is not None else {}
    return Scope(environment, target.config.environments, wanted.everywhere, get_default_timezone(), typed)


def _added(
    target: Target, wanted: Wanted, tables: Tables, placing: Placing, names: Sequence[str]
) -> list[tuple[str, Piece] | NotAccepted]:
    """Return the pieces of rows that nobody manages, and those that no file can have."""
    path = _file(wanted.file, placing) if wanted.file is not None else None
    in_files = placing.desired[placing.scope.environment].schedules
    wanted_names = frozenset(names)
    rows = [row for row in tables.rows if row.name in wanted_names]
    found = candidates(Tables(rows, tables.managed, tables.now, tables.zone, typed=tables.typed), ())
    result: list[tuple[str, Piece] | NotAccepted] = [NotAccepted(left.name, left.reason) for left in found.left_out]
    with database_errors(target.using):
        edits = last_edits(target.using, {}, unmanaged=[row.id for row in rows])
    by_name = {row.name: row for row in rows}
    for draft in found.drafts:
        if draft.name in in_files:
            result.append(NotAccepted(draft.name, "the files define it already; `adopt: true` takes its row over"))
            continue
        acceptance = taken_by(Acceptance(draft.name, "add", by_name[draft.name]), edits)
        result.append(placing.added(acceptance, _fields(draft), path or placing.home(draft.spec)))
    return result


def _fields(draft: Draft) -> dict[str, object]:
    fields = dict(draft.fields)
    return fields if draft.spec.enabled else {**fields, "disabled_reason": "disabled in the database"}


def _file(given: str, placing: Placing) -> str:
    wanted = Path(given).resolve()
    for path in placing.sources:
        if Path(path).resolve() == wanted:
            return path
    known = first_names([f"`{path}`" for path in placing.sources], 5)
    raise WrongUsage(f"`{given}` is no file of the set", hint=f"its files: {known}" if known else None)


def _prepared(
    target: Target,
    files: FilesOfSet,
    taken: Iterable[Acceptance],
    left: Iterable[NotAccepted],
    texts: Mapping[str, str],
) -> Prepared:
    contents: dict[Path, tuple[bytes, bytes]] = {}
    edits: list[FileEdit] = []
    for path, text in sorted(texts.items()):
        before = files.by_path[path].content()
        bom = BOM if before.startswith(BOM) else b""
        contents[Path(path)] = before, bom + text.encode("utf-8")
        edits.append(FileEdit(path, *masked_pair(before.decode("utf-8-sig"), text)))
    by_name = sorted(taken, key=lambda each: each.name)
    secrets = {each.name: tuple(_secrets(each)) for each in by_name}
    accepted = Accepted(
        tuple(by_name),
        tuple(sorted(left, key=lambda each: each.name)),
        tuple(edits),
        {name: paths for name, paths in secrets.items() if paths},
        target.environment,
        target.config.set,
    )
    return Prepared(accepted, contents)


def _secrets(acceptance: Acceptance) -> Iterable[str]:
    """Return the paths of values that look like secrets, and that the files get."""
    spec = acceptance.row.spec if acceptance.row is not None else None
    if spec is None:
        return ()
    is_new = acceptance.kind == "add"
    found = (pair for pair in secrets_in(spec) if is_new or pair[0] in acceptance.fields)
    return [f"{field}{'' if not path or path.startswith('[') else '.'}{path}" for field, path in found]
