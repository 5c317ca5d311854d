"""What became of a commit, as a forge shows it: the description of its status, and a comment as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schedsync.core.commit_report import CommitReport
from schedsync.core.names import counted, first_names
from schedsync.core.origin import Web
from schedsync.core.secrets import masked
from schedsync.render.code_spans import code
from schedsync.render.comment.fitted import Block, Row, fitted, lines
from schedsync.render.comment.links import commit_address
from schedsync.render.comment.markdown import COMMENT, Extent, finding_blocks, refusal_blocks
from schedsync.render.words import DONE, named_text

#: The names that a description has room for.
_NAMES = 3
_WHERE = Extent(COMMENT.limit, "The log of the agent has the first of them, `schedsync validate` all.")


def description(report: CommitReport, longest: int) -> str:
    """Return a report on one line of at most ``longest`` characters."""
    text = "; ".join(_parts(report))
    line = "".join(letter if letter.isprintable() else " " for letter in str(masked(text)))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _parts(report: CommitReport) -> Iterator[str]:
    if report.findings:
        first, count = report.findings[0], len(report.findings)
        place = f"{first.location} " if first.location else ""
        yield f"{place}{first.code} {named_text(first)}"
        if count > 1:
            yield f"{count - 1} more"
    elif report.refusals:
        yield f"refused: {report.refusals[0].message}"
    elif report.problem:
        yield report.problem
    elif report.unconfirmed:
        yield f"written back by another program: {first_names(report.unconfirmed, _NAMES)}"
    else:
        yield _counts(report)
    yield from (section.title for section in report.sections)
    if report.left:
        yield f"{counted(len(report.left), 'schedule')} edited by others, left so"


def _counts(report: CommitReport) -> str:
    if report.counts is None:
        return "applied"
    changes = ", ".join(f"{count:,} {DONE[kind]}" for kind, count in report.counts.items() if count)
    return f"applied: {changes or 'no changes'}"


def comment(report: CommitReport, scope: str, web: Web | None) -> str:
    """Return a report as Markdown; ``scope`` names the set and environment, ``web`` is where people read the files."""
    address = commit_address(report.commit, web)
    commit = code(report.commit[:12])
    shown = f"[{commit}]({address})" if address else commit
    blocks = [lines(f"### {_head(report)} {code(scope)}: {shown}", "")]
    if report.problem:
        hint = f"; hint: {code(report.hint, None)}" if report.hint else ""
        blocks.append(lines(f"{code(str(masked(report.problem)))}{hint}", ""))
    blocks += finding_blocks(report.findings, None, web)
    blocks += refusal_blocks([(refusal, "") for refusal in report.refusals])
    if report.counts is not None:
        blocks.append(lines(f"{_counts(report)}.", ""))
    blocks += _named("Written back by another program", report.unconfirmed)
    blocks += _named("Edited by others, left so", report.left)
    blocks += _named("Stopped by people, left so", report.held)
    for section in report.sections:
        blocks.append(Block([Row(line) for line in section.lines], [f"**{section.title}**", ""], [""], "line"))
    return fitted(blocks, _WHERE.limit, _WHERE.where)


def _head(report: CommitReport) -> str:
    if report.findings or report.refusals or report.problem:
        return "Not applied yet" if report.state == "pending" else "**Not applied**"
    return "**Written back:**" if report.unconfirmed else "Applied"


def _named(title: str, names: Sequence[str]) -> Iterator[Block]:
    if names:
        yield Block([Row(f"- {code(name)}") for name in names], [f"**{title}:**", ""], [""])
