"""What must hold after a soak, each as a function from the facts to sentences about what does not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

from tests.soak.facts import Facts, Noted, Run, family

#: Schedules that nobody touches: not one of their ticks may be missing or moved.
STEADY = "steady"
#: Seconds between two ticks that are equal: a tick has microseconds, and a float of it does not have all of them.
_EQUAL = 0.002
#: Seconds until a Beat has surely loaded a change: it polls each second, and scans after five.
_LOADED = 8.0
#: Seconds between the sending of a message and the moment at which a worker takes it.
_TAKEN = 2.0
#: Seconds by which two processes at most differ about the time of one event.
_NOTED = 0.3
#: Kinds of happenings after which a message may come once more, under the same id.
_REPEATS = frozenset({"kill", "cut", "end", "stall"})
#: A row without these fields has these values.
_DEFAULTS: dict[str, Any] = {"kwargs": {}, "enabled": True, "queue": None, "description": ""}


def violations(facts: Facts) -> list[str]:
    """Return what does not hold after the soak."""
    return _said_by((*_ALWAYS, *_AT_THE_END), facts)


def violations_so_far(facts: Facts) -> list[str]:
    """Return what does not hold while the soak goes on."""
    return _said_by(_ALWAYS, facts)


def _said_by(checks: Iterable[Callable[[Facts], Iterator[str]]], facts: Facts) -> list[str]:
    return [f"{check.__name__}: {sentence}" for check in checks for sentence in check(facts)]


def nothing_is_lost(facts: Facts) -> Iterator[str]:
    """Each tick that a schedule owed was run, unless a change of that schedule says why not."""
    changed = _changes_by_family(facts)
    for name, ticks in _ticks(facts).items():
        for earlier, later in pairwise(ticks):
            gap = later - earlier
            if abs(gap - _every(facts, name, earlier)) <= _EQUAL:
                continue
            if name.startswith(STEADY) or not _is_between(changed[name], earlier - _LOADED, later + 1):
                yield f"{name}: after {earlier:.3f} the next tick is {gap:.3f} s later, and no change says why"


def what_is_enabled_runs(facts: Facts) -> Iterator[str]:
    """Each enabled schedule has run after the last disturbance."""
    ticks = _ticks(facts)
    for name, fields in facts.ledger.items():
        last = max(ticks.get(family(name), [0.0]))
        if fields["enabled"] and facts.rows.get(name, {}).get("enabled") and last <= facts.quiet_since:
            yield f"{name}: no tick after {facts.quiet_since:.3f}, when it was quiet; the last one is {last:.3f}"


def _ticks(facts: Facts) -> dict[str, list[float]]:
    """Return the ticks that were run, or died with a worker, by family, in order."""
    found: dict[str, set[float]] = defaultdict(set)
    for run in facts.runs:
        found[family(run.name)].add(run.tick)
    for noted in died_with_a_worker(facts):
        found[family(noted.name)].add(noted.tick)
    return {name: sorted(ticks) for name, ticks in found.items()}


def died_with_a_worker(facts: Facts) -> list[Noted]:
    """Return what the journal has as sent and no worker ran because one was killed: at most one tick for each kill.

    Kombu takes a message from Redis before it notes that it has it (``_brpop_read`` and ``QoS.append`` of its
    transport): a worker that is killed in between loses it, and Beat cannot know.
    """
    kills = [each.at for each in facts.happenings if each.kind == "kill" and each.subject.startswith("worker")]
    died = []
    for noted in _not_run(facts):
        killed = next((at for at in kills if noted.at - _NOTED <= at <= noted.at + _TAKEN), None)
        if killed is not None:
            kills.remove(killed)
            died.append(noted)
    return died


def _not_run(facts: Facts) -> list[Noted]:
    ran = {(family(run.name), round(run.tick, 3)) for run in facts.runs}
    return [noted for noted in facts.journal if (family(noted.name), round(noted.tick, 3)) not in ran]


def _changes_by_family(facts: Facts) -> dict[str, list[float]]:
    """Return when each family was changed, by an audit record or by the soak itself."""
    changed: dict[str, list[float]] = defaultdict(list)
    for record in facts.records:
        for name in record.names():
            changed[family(name)].append(record.at)
    for happening in facts.happenings:
        if happening.kind in ("edit", "delete"):
            changed[family(happening.subject)].append(happening.at)
    return changed


def _every(facts: Facts, name: str, at: float) -> float:
    """Return the interval of a family, in seconds, that the audit has for an instant."""
    found = 0.0
    for record in facts.records:
        if record.at > at:
            break
        for change in record.changes:
            if family(str(change.get("name"))) == name:
                timings = [field["after"] for field in change.get("fields") or () if field["field"] == "timing"]
                found = float(timings[-1]["every"].rstrip("s")) if timings and timings[-1] else found
    return found


def _is_between(times: list[float], since: float, until: float) -> bool:
    return any(since <= at <= until for at in times)


def nothing_is_doubled(facts: Facts) -> Iterator[str]:
    """Each tick has one id, and a message comes again only if a process was killed or cut off meanwhile."""
    by_tick: dict[tuple[str, float], set[str]] = defaultdict(set)
    by_id: dict[str, list[Run]] = defaultdict(list)
    for run in facts.runs:
        by_tick[family(run.name), run.tick].add(run.id)
        by_id[run.id].append(run)
    for (name, tick), ids in by_tick.items():
        if len(ids) > 1:
            yield f"{name}: the tick {tick:.3f} has {len(ids)} ids"
    breaks = [happening.at for happening in facts.happenings if happening.kind in _REPEATS]
    for runs in by_id.values():
        for run in runs[1:]:
            if not _is_between(breaks, run.tick - _LOADED, run.at):
                yield f"{run.name}: the tick {run.tick:.3f} ran again at {run.at:.3f}, and nothing had been killed"


def repeats(facts: Facts) -> int:
    """Return how many runs were repeats under the same id."""
    return len(facts.runs) - len({run.id for run in facts.runs})


def the_journal_is_true(facts: Facts) -> Iterator[str]:
    """What the journal has as sent was run, and what was claimed last was run last."""
    died = died_with_a_worker(facts)
    for noted in _not_run(facts):
        if noted not in died:
            yield f"{noted.name}: the journal has the tick {noted.tick:.3f} as sent, and no worker ran it"
    ticks = _ticks(facts)
    for name, tick in facts.claims.items():
        last = max(ticks.get(family(name), [0.0]))
        if abs(tick - last) > _EQUAL:
            yield f"{name}: the last claim is for {tick:.3f}, and the last run for {last:.3f}"


def one_beat_leads(facts: Facts) -> Iterator[str]:
    """Each epoch has one Beat, and nothing of an epoch is sent after something of the next one."""
    spans: dict[int, tuple[float, float]] = {}
    beats: dict[int, set[str]] = defaultdict(set)
    for noted in facts.journal:
        first, last = spans.get(noted.epoch, (noted.at, noted.at))
        spans[noted.epoch] = min(first, noted.at), max(last, noted.at)
        beats[noted.epoch].add(noted.beat)
    for epoch, names in beats.items():
        if len(names) > 1:
            yield f"epoch {epoch} is of {', '.join(sorted(names))}"
    for (earlier, (_, last)), (later, (first, _)) in pairwise(sorted(spans.items())):
        if last > first:
            yield f"epoch {earlier} still sent at {last:.3f}, {last - first:.3f} s after epoch {later} had begun to"


def one_agent_acts(facts: Facts) -> Iterator[str]:
    """Each epoch has one agent, and what an agent applied it applied while no later one had begun to act."""
    reigns = sorted(facts.agents, key=lambda reign: (reign.epoch, reign.since))
    for earlier, later in pairwise(reigns):
        if earlier.epoch == later.epoch:
            yield f"epoch {later.epoch} is of {earlier.holder} and of {later.holder}"
        if earlier.since > later.since:
            yield f"epoch {later.epoch} begins before epoch {earlier.epoch}"
    holders = {reign.holder for reign in reigns}
    for record in facts.records:
        if record.who not in holders:
            continue
        acting = [reign.holder for reign in reigns if reign.since <= record.at]
        if not acting or acting[-1] != record.who:
            yield f"{record.who} applied at {record.at:.3f}, when {acting[-1] if acting else 'nobody'} acted"


def the_audit_equals_the_tables(facts: Facts) -> Iterator[str]:
    """Replaying the audit gives the rows and the ledger as they are."""
    replayed = replay(facts)
    for table, found in (("rows", facts.rows), ("ledger", facts.ledger)):
        for name in sorted({*replayed, *found}):
            expected, has = replayed.get(name), found.get(name)
            if expected is None or has is None:
                yield f"{name}: it is {'not in the audit' if expected is None else f'not in the {table}'}"
                continue
            for key, value in {**_DEFAULTS, **expected}.items():
                if key in has and has[key] != value:
                    yield f"{name}: {key} is {value!r} by the audit, and {has[key]!r} in the {table}"


def replay(facts: Facts) -> dict[str, dict[str, Any]]:
    """Return the fields of each managed schedule by the audit alone."""
    found: dict[str, dict[str, Any]] = {}
    for record in facts.records:
        for change in record.changes:
            _replay_one(found, change)
    return found


def _replay_one(found: dict[str, dict[str, Any]], change: Any) -> None:
    name, kind = change.get("name"), change.get("kind")
    if kind == "delete":
        found.pop(name, None)
        return
    if kind == "rename":
        found[name] = found.pop(change["old_name"], {})
    if kind == "create":
        found[name] = {}
    fields = found.setdefault(name, {})
    for field in change.get("fields") or ():
        fields[field["field"]] = field["after"]


def the_last_commit_is_applied(facts: Facts) -> Iterator[str]:
    """After the quiet the tables have the last good commit, and no drift."""
    if facts.last_commit != facts.applied_commit:
        yield f"{facts.last_commit[:12]} was pushed last, and {facts.applied_commit[:12]} is applied"
    if facts.drift:
        yield f"there is drift: {facts.drift}"


_ALWAYS = (nothing_is_lost, nothing_is_doubled, one_beat_leads, one_agent_acts)
_AT_THE_END = (what_is_enabled_runs, the_journal_is_true, the_audit_equals_the_tables, the_last_commit_is_applied)
