"""``--all``: a verb for every set of a repository, one after the other, and the results in one output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from schedsync.commands.options import WHERE, FileOptions, environment_option, gather, option, path_argument
from schedsync.commands.output import failure_json, report, say, show, write
from schedsync.errors import SchedsyncError, Unavailable, WrongUsage
from schedsync.files.configurations import sets_below
from schedsync.render import json_, markdown
from schedsync.render.code_spans import code
from schedsync.render.markdown import Extent
from schedsync.render.paint import Paint
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
    option("--all", "all_sets", heading=WHERE, is_flag=True, help="Each set below PATH that has a schedsync.toml."),
    without=("directory",),
)
#: The exit codes of single sets; the first of them that occurs is the exit code of all.
_WORST_FIRST = (69, 64, 6, 4, 5, 3, 1, 2)
_EXTENTS = {"markdown": markdown.COMMENT, "summary": markdown.SUMMARY}


@dataclass(frozen=True, slots=True)
class Output(Generic[T]):
    """How a verb writes its result for one set: as text and in other formats, and the exit code that it means.

    ``together`` writes the results of several sets as one document, in the formats where a document cannot be joined.
    """

    renderings: Mapping[str, Callable[[T], str]]
    text: Callable[[T, Paint], str]
    code: Callable[[T], int]
    together: Mapping[str, Callable[[Sequence[T]], str]] = field(default_factory=dict)


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

    An error of one set is shown, and the next set has its turn; but if the database is not available, no other has.
    """
    for name in (format_, *(name for name, _ in reports)):
        if name not in ("text", "json", *_EXTENTS, *output.together):
            raise WrongUsage(f"`--all` cannot write {name}", hint="give the directory of one set as PATH instead")
    shown = format_ == "text" and out is None
    results: list[_Result[T]] = []
    for directory, run in turns:
        results.append(_run(directory, run, output, format_, shown=shown))
        if isinstance(results[-1].error, Unavailable):
            break
    if format_ != "text":
        write(_combined(results, output, format_), out)
    elif out is not None:
        write("\n".join(_text(result, output) for result in results), out)
    for name, file in reports:
        write(_combined(results, output, name), file)
    codes = {result.error.exit_code if result.error else _code(result, output) for result in results}
    return next((code for code in _WORST_FIRST if code in codes), 0)


def _code(result: _Result[T], output: Output[T]) -> int:
    return output.code(result.value) if result.value is not None else 1


def _run(directory: Path, run: Callable[[], T | None], output: Output[T], format_: str, *, shown: bool) -> _Result[T]:
    """Run the verb for one set; shows its error, and its text if that is to be shown."""
    heading = _heading(directory)
    if shown:
        show(lambda paint: paint(heading, "bold"))
    try:
        value = run()
    except SchedsyncError as error:
        if format_ != "json":
            if not shown:
                say(heading)
            report(error, "text")
        return _Result(directory, None, error)
    if shown and value is not None:
        show(lambda paint: output.text(value, paint) + "\n")
    return _Result(directory, value)


def _heading(directory: Path) -> str:
    return f"== {printable(directory.as_posix())} =="


def _text(result: _Result[T], output: Output[T]) -> str:
    said = output.text(result.value, lambda words, _style: words) if result.value is not None else _why(result)
    return f"{_heading(result.directory)}\n{said}\n"


def _why(result: _Result[T]) -> str:
    return f"error: {printable(result.error.message)}" if result.error else "not done"


def _combined(results: Sequence[_Result[T]], output: Output[T], format_: str) -> str:
    """Return the results of all sets as one document."""
    if format_ in output.together:
        return output.together[format_]([result.value for result in results if result.value is not None])
    if format_ == "json":
        return json_.dump({"version": 1, "sets": [_document(result, output) for result in results]})
    return "\n".join(_fitted([_markdown(result, output, format_) for result in results], _EXTENTS[format_]))


def _markdown(result: _Result[T], output: Output[T], format_: str) -> str:
    said = output.renderings[format_](result.value) if result.value is not None else f"{_why(result)}\n"
    return f"## {code(result.directory.as_posix())}\n\n{said}"


def _fitted(parts: Sequence[str], extent: Extent) -> Iterator[str]:
    """Yield the Markdown of each set; where all together are too long, the beginning of the longest.

    A set that needs less than its share leaves the rest to the others.
    """
    sizes = [extent.size(part) for part in parts]
    room = extent.limit - len(parts)
    shares: dict[int, int] = {}
    for number in sorted(range(len(parts)), key=sizes.__getitem__):
        shares[number] = max(0, room) // (len(parts) - len(shares))
        room -= min(sizes[number], shares[number])
    for number, part in enumerate(parts):
        yield part if sizes[number] <= shares[number] else _beginning(part, shares[number], extent)


def _beginning(part: str, room: int, extent: Extent) -> str:
    """Return whole lines up to the first table or foldout, as many as there is room for, and say what is missing."""
    lines = part.splitlines()
    kept: list[str] = []
    room -= 200
    for line in lines:
        room -= extent.size(line) + 1
        if line.startswith(("<details", "|")) or room < 0:
            break
        kept.append(line)
    missing = len(lines) - len(kept)
    return "\n".join([*kept, "", f"… {missing:,} more lines; run the verb for this set alone to see them.", ""])


def _document(result: _Result[T], output: Output[T]) -> dict[str, Any]:
    text = output.renderings["json"](result.value) if result.value is not None else None
    if result.error is not None:
        text = failure_json(result.error)
    document: dict[str, Any] = json.loads(text) if text else {}
    return {"directory": result.directory.as_posix(), **document}
