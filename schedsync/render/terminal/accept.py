"""What ``accept`` takes into the files: the difference of each file, what is left as it is, and what was written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from schedsync.core.acceptance import Acceptance, Accepted, FileEdit, NotAccepted
from schedsync.core.matching import Matcher
from schedsync.core.names import first_names
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import counted, printable, time_text

#: Of a file's text. What Python takes for a break too is none in YAML.
_BREAK = re.compile("\r\n|\n|\r")
_CONTEXT = 3
_NAMED = 10
_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_DONE = {"edit": "edited", "add": "added", "remove": "deleted", "rename": "renamed"}


def accepted_text(value: Accepted, paint: Paint = plain) -> str:
    """Write the differences, then who made them, what to look at, and what cannot be taken."""
    lines = [_painted(line, paint) for line in diff_lines(value.files)]
    if lines:
        lines.append("")
    lines += [taken_line(each) for each in value.taken]
    for name, paths in (value.secrets or {}).items():
        like = "looks like a secret" if len(paths) == 1 else "look like secrets"
        lines.append(f"warning: {printable(name)}: {printable(first_names(paths, _NAMED))} {like} (SS212)")
    for each in value.left:
        lines += _left(each)
    return "\n".join(lines) if lines else nothing_text(value)


def nothing_text(value: Accepted) -> str:
    """Say that nobody has changed anything that was selected."""
    where = f"{value.set} ({value.environment})" if value.environment else value.set
    return f"Nothing to accept in {printable(where)}: the files say what the table holds"


def diff_lines(files: Sequence[FileEdit]) -> Iterator[str]:
    """Yield the lines of a unified difference of all files."""
    for file in files:
        before, after = _BREAK.split(file.before), _BREAK.split(file.after)
        path = printable(file.path)
        yield from map(printable, _unified(before, after, f"a/{path}", f"b/{path}"))


def _unified(before: Sequence[str], after: Sequence[str], old: str, new: str) -> Iterator[str]:
    """Yield a unified difference; the one of Python's library needs minutes for a large file."""
    for number, group in enumerate(Matcher(before, after).get_grouped_opcodes(_CONTEXT)):
        if not number:
            yield from (f"--- {old}", f"+++ {new}")
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@"
        for kind, start, end, from_, to in group:
            if kind == "equal":
                yield from (f" {line}" for line in before[start:end])
            else:
                yield from (f"-{line}" for line in before[start:end])
                yield from (f"+{line}" for line in after[from_:to])


def _range(start: int, end: int) -> str:
    """Return the lines of a hunk as a unified difference counts them."""
    length = end - start
    return f"{start + 1}" if length == 1 else f"{start + 1 if length else start},{length}"


def _painted(line: str, paint: Paint) -> str:
    if line.startswith(("---", "+++")):
        return paint(line, "bold")
    style = _STYLES.get(line[:1])
    return paint(line, style) if style else line


def taken_line(acceptance: Acceptance) -> str:
    """Say in one line what somebody did to a row, and who."""
    name, done = printable(acceptance.name), _DONE[acceptance.kind]
    what = f"{done} to {printable(acceptance.new_name)}" if acceptance.new_name else done
    fields = f" ({', '.join(acceptance.fields)})" if acceptance.kind in ("edit", "rename") and acceptance.fields else ""
    by = acceptance.by
    who = f" by {printable(by.user)} at {time_text(by.time)}" if by is not None else ""
    count = len(acceptance.waiting)
    waits = f"; the files have changed {', '.join(acceptance.waiting)} since the last apply" if count else ""
    return f"{name}: {what}{fields}{who}{waits}"


def _left(each: NotAccepted) -> Iterator[str]:
    yield f"not taken: {printable(each.name)}: {printable(each.reason)}"
    if each.lines:
        yield "  to write it by hand:"
        yield from (f"  {printable(line)}" for line in each.lines.splitlines())


def question(value: Accepted) -> str:
    """Ask whether to go on."""
    return f"Write {counted(len(value.files), 'file')}?"


def written_text(value: Accepted) -> str:
    """Say which files were written, and what comes next."""
    paths = first_names([printable(file.path) for file in value.files], _NAMED)
    return f"Wrote {paths}; commit it, and apply it: the table holds it already"


def committed_text(branch: str, commit: str) -> str:
    """Say which branch has the change, and how to share it."""
    name = printable(branch)
    return f"Committed {commit[:12]} on {name}; the work tree is as before. git push origin {name}"


def message(value: Accepted) -> str:
    """Return the message of a commit: how many changes, then each with who made it."""
    where = f" of {value.environment}" if value.environment else ""
    subject = f"Accept {counted(len(value.taken), 'change')}{printable(where)} into {printable(value.set)}"
    lines = [taken_line(each) for each in value.taken]
    return "\n".join([subject, "", "Somebody changed these in the table behind Git's back:", "", *lines, ""])
