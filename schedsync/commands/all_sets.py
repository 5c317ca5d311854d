"""``--all``: a verb for every set of a repository, one after the other, and the results in one output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from schedsync.commands.help import WHERE
from schedsync.commands.options import FileOptions, environment_option, gather, option, path_argument
from schedsync.commands.output import failure_json, report, say, show, write
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.errors import InvalidConfiguration, InvalidSet, Refused, SchedsyncError, Unavailable, WrongUsage
from schedsync.files.configurations import configuration_in, sets_below
from schedsync.render.code_spans import code
from schedsync.render.comment import markdown, several_sets
from schedsync.render.comment.markdown import Extent
from schedsync.render.programs import json_
from schedsync.render.terminal.findings import findings
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.terminal.plan_sections import refusals
from schedsync.render.words import printable

T = TypeVar("T")
#: The directory of a set, and what is done for it.
Turn = tuple[Path, Callable[[], T]]

#: The options of verbs that know ``--all``.
set_options = gather(
    "files",
    FileOptions,
    path_argument,
    environment_option,
    option(
        "--all",
        "all_sets",
        heading=WHERE,
        is_flag=True,
        help="Do this for each set below PATH that has a schedsync.toml.",
    ),
    without=("directory",),
)
#: The exit codes of single sets; the first of them that occurs is the exit code of all.
_WORST_FIRST = (69, 64, 6, 4, 5, 3, 1, 2)
_EXTENTS = {"markdown": markdown.COMMENT, "summary": markdown.SUMMARY}


@dataclass(frozen=True, slots=True)
class Together(Generic[T]):
    """How the findings of several sets become one document: which findings a set has, and how they are written."""

    of: Callable[[T], Iterable[Finding]]
    write: Callable[[Sequence[Finding]], str]


@dataclass(frozen=True, slots=True)
class Output(Generic[T]):
    """How a verb writes its result for one set: as JSON, text and Markdown, and the exit code that it means.

    ``together`` writes the findings of several sets as one document, in the formats where a document cannot be joined.
    ``is_headed`` is false if the text of a set needs no heading, because each of its lines names its place.
    """

    json: Callable[[T], str]
    text: Callable[[T, Paint], str]
    code: Callable[[T], int]
    markdown: Callable[[T, Extent], str] | None = None
    together: Mapping[str, Together[T]] = field(default_factory=dict)
    is_headed: bool = True


@dataclass(frozen=True, slots=True)
class _Result(Generic[T]):
    """What a verb said of one set, or why it could not."""

    directory: Path
    value: T | None
    error: SchedsyncError | None = None


def sets_to_run(files: FileOptions, run: Callable[[FileOptions], T]) -> Iterator[Turn[T]]:
    """Yield the directory of each set below the path, and a function that runs a verb for it."""
    for directory in sets_below(Path(files.path or ".")):
        yield directory, partial(run, files.of(directory))


def for_each_set(
    turns: Iterable[Turn[T | None]],
    output: Output[T],
    format_: str,
    out: Path | None = None,
    reports: Iterable[tuple[str, Path]] = (),
) -> int:
    """Run a verb for each set, and write what it says; returns the worst exit code.

    An error of one set is shown, and the next set has its turn; but if the database is not available, no other has,
    and they are named.
    """
    for name in (format_, *(name for name, _ in reports)):
        if name not in ("text", "json", *_EXTENTS, *output.together):
            raise WrongUsage(f"`--all` cannot write {name}", hint="give the directory of one set as PATH instead")
    shown = format_ == "text" and out is None
    results: list[_Result[T]] = []
    remaining = iter(turns)
    for directory, run in remaining:
        results.append(_run(directory, run, output, format_, shown=shown))
        if isinstance(results[-1].error, Unavailable):
            results += _left_out(directory, [other for other, _ in remaining])
            break
    if format_ != "text":
        write(_combined(results, output, format_), out)
    elif out is not None:
        write("\n".join(filter(None, (_text(result, output) for result in results))), out)
    for name, file in reports:
        write(_combined(results, output, name), file)
    codes = {result.error.exit_code if result.error else _code(result, output) for result in results}
    return worst(codes)


def worst(codes: Iterable[int]) -> int:
    """Return the exit code of several calls: the worst of theirs."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), 0)


def _left_out(failed: Path, directories: Sequence[Path]) -> Iterator[_Result[T]]:
    """Yield a result for each set that has no turn after an error, and name them on stderr."""
    for directory in directories:
        yield _Result(directory, None, Unavailable(f"not done, because of the error in `{failed.as_posix()}`"))
    if directories:
        say(f"not done: {', '.join(printable(directory.as_posix()) for directory in directories)}")


def _code(result: _Result[T], output: Output[T]) -> int:
    return output.code(result.value) if result.value is not None else 1


def _run(directory: Path, run: Callable[[], T | None], output: Output[T], format_: str, *, shown: bool) -> _Result[T]:
    """Run the verb for one set; shows its error, and its text if that is to be shown."""
    heading = _heading(directory)
    is_headed = shown and output.is_headed
    if is_headed:
        show(lambda paint: paint(heading, "bold"))
    try:
        value = run()
    except SchedsyncError as error:
        if format_ != "json":
            if not is_headed:
                say(heading)
            report(error, "text")
        return _Result(directory, None, error)
    if shown and value is not None:
        show(lambda paint: output.text(value, paint) + "\n")
    return _Result(directory, value)


def _heading(directory: Path) -> str:
    return f"== {printable(directory.as_posix())} =="


def _text(result: _Result[T], output: Output[T]) -> str:
    if result.value is not None and not output.is_headed:
        return output.text(result.value, plain)
    said = output.text(result.value, plain) if result.value is not None else "\n".join(map(printable, _why(result)))
    return f"{_heading(result.directory)}\n{said}\n"


def _why(result: _Result[T]) -> list[str]:
    """Return why a set was not done: the message, the hint, and the first findings and refusals."""
    error = result.error
    if error is None:
        return ["not done"]
    if isinstance(error, Refused):
        return list(refusals(error.refusals))
    lines = [f"error: {error.message}", *([f"hint: {error.hint}"] if error.hint else [])]
    return lines + (findings(error.findings).splitlines() if isinstance(error, InvalidSet) else [])


def _combined(results: Sequence[_Result[T]], output: Output[T], format_: str) -> str:
    """Return the results of all sets as one document."""
    if format_ in output.together:
        together = output.together[format_]
        return together.write([finding for result in results for finding in _findings(result, together)])
    if format_ == "json":
        return json_.dump({"version": 1, "sets": [_document(result, output) for result in results]})
    return several_sets.joined([partial(_markdown, result, output) for result in results], _EXTENTS[format_])


def _findings(result: _Result[T], together: Together[T]) -> Iterable[Finding]:
    """Return the findings of a set; one that could not be done has its errors."""
    if result.value is not None:
        return together.of(result.value)
    error = result.error
    if isinstance(error, InvalidSet):
        return error.findings
    named = Path(error.path) if isinstance(error, InvalidConfiguration) else configuration_in(result.directory)
    message, hint = (error.message, error.hint) if error else ("not done", None)
    return [Finding("SS179", message, Location(named.as_posix(), 1, 1), hint)]


def _markdown(result: _Result[T], output: Output[T], extent: Extent) -> str:
    """Write the Markdown of one set, below its directory."""
    heading = f"## {code(result.directory.as_posix())}\n\n"
    rest = replace(extent, limit=extent.limit - extent.size(heading))
    if result.value is not None and output.markdown is not None:
        return heading + output.markdown(result.value, rest)
    return heading + several_sets.not_done(_why(result), rest)


def _document(result: _Result[T], output: Output[T]) -> dict[str, Any]:
    text = output.json(result.value) if result.value is not None else None
    if result.error is not None:
        text = failure_json(result.error)
    document: dict[str, Any] = json.loads(text) if text else {}
    return {"directory": result.directory.as_posix(), **document}
