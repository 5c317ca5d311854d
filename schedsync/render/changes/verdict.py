"""The headline of a review or a plan: a verdict in one phrase, a table of counts, and what is refused where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from schedsync.core.finding import Finding
from schedsync.core.refusal import Refusal
from schedsync.planning.plan import Plan
from schedsync.render.changes.alarms import ALARMS, Alarm, raised_text
from schedsync.render.changes.folding import Group
from schedsync.render.code_spans import cell, code
from schedsync.render.words import COUNTED, DONE, counted, stops_of
from schedsync.review.result import EnvironmentReview, Review
from schedsync.review.shown import ShownFindings

#: More environments are named by those that are missing, where these are no more.
_ENVIRONMENTS_NAMED = 3
#: If alarms are raised in more different groups of environments, the headline counts them together.
_GROUPS_NAMED = 3


def verdict_text(value: Review, found: Sequence[Group], findings: ShownFindings, refused: str) -> str:
    """Return the verdict on a review; ``refused`` is the word for a change that an apply would refuse."""
    names = [each.environment for each in value.environments if each.environment]
    phrase = alarms_phrase(found, names) or counts_phrase(found)
    said = [refused if any(each.plan.refusals for each in value.environments) else "", phrase]
    said.append(counted(findings.other_errors, "new error") if findings.other_errors else "")
    said.append(_safeguards_phrase(findings.changed_safeguards))
    is_complete = bool(value.environments) and all(each.is_complete for each in value.environments)
    if not found and is_complete:
        said.append("nothing that runs is changed")
    elif not is_complete:
        said.append("not everything is compared")
    return "; ".join(filter(None, said))


def _safeguards_phrase(changed: Sequence[Finding]) -> str:
    errors = sum(finding.severity == "error" for finding in changed)
    within = f" ({counted(errors, 'error')})" if errors else ""
    return f"{counted(len(changed), 'changed safeguard')}{within}" if changed else ""


def alarms_phrase(found: Sequence[Group], environments: Sequence[str]) -> str:
    """Return how many schedules raise each alarm, and in which of several environments; empty if none does."""
    where: dict[tuple[str, ...], Counter[Alarm]] = {}
    for (alarm, _), raised in _raised(found).items():
        names = tuple(name for name in environments if name in raised) if len(environments) > 1 else ()
        where.setdefault(names, Counter())[alarm] += 1
    if len(where) > _GROUPS_NAMED:
        everywhere = {name for names in where for name in names}
        where = {tuple(name for name in environments if name in everywhere): sum(where.values(), Counter[Alarm]())}
    return "; ".join(f"{raised_text(counts)}{_where(names, environments)}" for names, counts in where.items())


def _raised(found: Sequence[Group]) -> dict[tuple[Alarm, str], set[str | None]]:
    """Return for each alarm, the most dangerous first, and each schedule that raises it, in which environments."""
    raised: dict[tuple[Alarm, str], set[str | None]] = {}
    for alarm in ALARMS:
        for environment, change in (each for group in found for each in group.changes):
            if alarm.concerns(change):
                raised.setdefault((alarm, change.name), set()).add(environment)
    return raised


def _where(names: Sequence[str], environments: Sequence[str]) -> str:
    text = environments_phrase(names, environments)
    return f" in {text}" if text else ""


def environments_phrase(names: Sequence[str], environments: Sequence[str]) -> str:
    """Write environments by their names, or how many they are; empty if the set has none."""
    if not names:
        return ""
    if len(names) <= _ENVIRONMENTS_NAMED:
        return ", ".join(map(code, names))
    missing = [name for name in environments if name not in names]
    if not missing:
        return f"all {len(names):,} environments"
    if len(missing) <= _ENVIRONMENTS_NAMED:
        return f"all {len(environments):,} environments but {', '.join(map(code, missing))}"
    return ", ".join(map(code, names))


def counts_phrase(found: Iterable[Group]) -> str:
    """Return how many schedules are created, updated and so on; each counts once, in however many environments."""
    names: dict[str, set[str]] = {kind: set() for kind in COUNTED}
    for group in found:
        names[group.first.kind].update(group.names)
    return ", ".join(f"{len(names[kind]):,} {DONE[kind]}" for kind in COUNTED if names[kind])


def counts_table(found: Sequence[EnvironmentReview]) -> Iterator[str]:
    """Yield a table of counts, one row for each environment."""
    summaries = [each.plan.summary() for each in found]
    kinds = [kind for kind in (*COUNTED, "unchanged", "completed") if any(each[kind] for each in summaries)]
    unknown = ["not compared"] if any(each.unknown for each in found) else []
    yield f"| environment | {' | '.join(['stop', *kinds, *unknown])} |"
    yield "|---" * (len(kinds) + len(unknown) + 2) + "|"
    for each, summary in zip(found, summaries, strict=True):
        counts = [stops_of(each.plan), *(summary[kind] for kind in kinds), *([each.unknown] if unknown else [])]
        yield f"| {cell(code(each.environment or ''))} | {' | '.join(f'{count:,}' for count in counts)} |"
    yield ""


def notices_by_place(value: Plan) -> tuple[list[Finding], list[Finding]]:
    """Return the notices that head a plan, because the workers have to be deployed first, and the others."""
    first = [notice for notice in value.notices if notice.code == "SS219" and notice.severity != "info"]
    return first, [notice for notice in value.notices if notice not in first]


def refusals_by_environment(plans: Sequence[tuple[str | None, Plan]]) -> Mapping[tuple[str, ...], list[Refusal]]:
    """Return the refusals by the environments in which they hold."""
    found: dict[Refusal, list[str]] = {}
    for environment, plan in plans:
        for refusal in plan.refusals:
            found.setdefault(refusal, []).extend([environment] if environment else [])
    by_environment: dict[tuple[str, ...], list[Refusal]] = {}
    for refusal, names in found.items():
        by_environment.setdefault(tuple(names), []).append(refusal)
    return by_environment


def by_severity(severities: Sequence[str], what: str) -> str:
    """Write how many findings there are: "3 new findings: 1 error, 2 warnings"."""
    named = {"error": ("error", "errors"), "warning": ("warning", "warnings"), "info": ("info", "infos")}
    counts = [(severities.count(name), words) for name, words in named.items()]
    parts = ", ".join(counted(count, *words) for count, words in counts if count)
    return f"{counted(len(severities), what)}: {parts}"
