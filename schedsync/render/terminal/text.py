"""Plans and reviews as text for a terminal; readable without colour."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator
from datetime import datetime, timezone

from schedsync.planning.plan import Plan
from schedsync.render.changes.alarms import headline
from schedsync.render.changes.folding import FOLD_FROM, Group, groups, groups_across
from schedsync.render.changes.verdict import notices_by_place, refusals_by_environment
from schedsync.render.terminal.change_lines import View
from schedsync.render.terminal.findings import findings
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.terminal.plan_sections import (
    alarms_text,
    counts_text,
    refusals,
    sections,
    states,
    together,
)
from schedsync.render.words import (
    counted,
    environments_text,
    not_compared_texts,
    printable,
    scope_text,
    side_text,
)
from schedsync.review.result import Review
from schedsync.review.shown import REFUSED

_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def plan(value: Plan, paint: Paint = plain, *, verbose: bool = False) -> str:
    """Write what an apply would do, and what refuses it; ``verbose`` lists adoptions that change nothing too."""
    found = groups(value.changes)
    counts = together(alarms_text(found, len(value.drifted), paint), counts_text(value, paint))
    lines = [paint(f"Plan for {printable(_scope(value))}", "bold"), *counts]
    first, rest = notices_by_place(value)
    if first:
        lines += ["", paint("Deploy the workers first:", "yellow"), findings(first, paint)]
    if value.refusals:
        lines += ["", *refusals(value.refusals, paint, effect="an apply would write nothing")]
    plain_adoptions = sum(len(group.changes) for group in found if _only_adopts(group))
    folded = plain_adoptions if plain_adoptions >= FOLD_FROM and not verbose else 0
    view = View(value.now, paint, managed=value.observed.ledger, verbose=verbose)
    lines += sections([group for group in found if not (folded and _only_adopts(group))], view)
    if folded:
        lines += ["", f"{folded:,} to adopt, no field changes (--verbose lists them)"]
    lines += states(value, paint)
    if rest:
        lines += ["", findings(rest, paint, verbose=verbose)]
    if value.changes and verbose:
        lines += ["", paint(f"checksum {value.checksum}", "dim")]
    return "\n".join(lines)


def _scope(value: Plan) -> str:
    """Write which set, environment, commit and database a plan is for."""
    return scope_text(value).removeprefix("set ") + (f" on {value.database}" if value.database else "")


def question(value: Plan) -> str:
    """Ask whether to apply a plan, or roll back by it; the most dangerous that it does stands before the answer."""
    count = "1 change" if len(value.changes) == 1 else f"{len(value.changes):,} changes"
    does = f"Roll back {count} of" if value.is_rollback else f"Apply {count} to"
    environment = f" in {value.binding.environment}" if value.binding.environment else ""
    database = f" on {value.database}" if value.database else ""
    danger = headline([Group(tuple((None, change) for change in value.changes))], whole=True)
    return printable(f"{does} {value.set}{environment}{database}?" + (f" {danger}." if danger else ""))


def _only_adopts(group: Group) -> bool:
    """Say whether all changes of a group take a row over as it is, and from nobody."""
    if group.first.kind != "adopt":
        return False
    return not any(change.fields or change.consequences for _, change in group.changes)


def unmanaged(value: Plan) -> str:
    """Write how many rows nobody manages, and how to get them; empty where there are none."""
    count = value.unmanaged
    if not count:
        return ""
    rows = "1 row is" if count == 1 else f"{count:,} rows are"
    return f"{rows} managed by nobody (`schedsync list --unmanaged`)"


def review(value: Review, paint: Paint = plain, *, verbose: bool = False) -> str:
    """Write what a change of the files does, once for all environments that agree, and what is wrong.

    ``verbose`` lists all names.
    """
    plans = [(one.environment, one.plan) for one in value.environments]
    found = groups_across(plans)
    lines = [paint(f"Review: {printable(value.base_text)} → {printable(side_text(value.head))}", "bold")]
    counts, alarms = list(_counts(value, paint)), alarms_text(found, 0, paint)
    lines += together(alarms, counts[0]) if len(counts) == 1 else [*([alarms] if alarms else []), *counts]
    for where, refused in refusals_by_environment(plans).items():
        lines += ["", *refusals(refused, paint, environments_text(where), "an apply would write nothing")]
    lines += sections(found, _view(value, paint, verbose=verbose))
    return "\n".join([*lines, *_review_findings(value, paint, verbose=verbose)])


def _view(value: Review, paint: Paint, *, verbose: bool) -> View:
    names = [one.environment for one in value.environments if one.environment]
    now = next((one.plan.now for one in value.environments), _NEVER)
    managed = ChainMap(*(dict(one.plan.observed.ledger) for one in value.environments))
    return View(now, paint, names, managed, value.base, verbose)


def _counts(value: Review, paint: Paint) -> Iterator[str]:
    """Yield the counts, once for all environments with the same."""
    same: dict[str, list[str | None]] = {}
    for one in value.environments:
        counts = counts_text(one.plan, paint, "no changes" if one.is_complete else "no known changes")
        same.setdefault("; ".join([counts, *not_compared_texts(one)]), []).append(one.environment)
    for text, names in same.items():
        where = environments_text(names)
        yield f"In {printable(where)}: {text}" if where else text


def _review_findings(value: Review, paint: Paint, *, verbose: bool) -> Iterator[str]:
    # What an apply would be refused for stands above.
    found = [one for one in value.findings if one.code != REFUSED]
    shown = [one for one in found if value.shows(one)]
    new = sum(one in value.new for one in shown)
    if shown:
        before = f", {counted(len(shown) - new, 'error')} from before" if len(shown) > new else ""
        yield from ("", paint(f"{counted(new, 'new finding')}{before}:", "bold"))
        yield findings(shown, paint, verbose=verbose, mark=lambda each: " (new)" if each in value.new else "")
    if rest := len(found) - len(shown):
        yield from (
            "",
            f"{counted(rest, 'warning or info', 'warnings and infos')} from before: see `schedsync validate`",
        )
