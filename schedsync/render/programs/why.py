"""The explanation of a schedule as JSON."""

from __future__ import annotations

from typing import Any

from schedsync.core.timing import instant_text, timing_form
from schedsync.core.why import Answer, Evidence, Explanation, Listed, Outcome, Ticks
from schedsync.planning.converter import instant_document, location_document
from schedsync.render.programs.json_ import dump

#: The version of the document.
VERSION = 1


def why_json(value: Explanation) -> str:
    """Write all of it; instants are in UTC."""
    spec, managed = value.spec, value.managed
    return dump(
        {
            "version": VERSION,
            "name": value.name,
            "asked": value.asked,
            "at": instant_text(value.at),
            "timing": timing_form(spec.timing) if spec else None,
            "set": managed.set if managed else None,
            "location": location_document(managed.location) if managed else None,
            "commit": managed.commit if managed else None,
            "answer": _answer(value.answer),
            "before": _answer(value.before),
            "next": _answer(value.following),
            "notes": [_evidence(note) for note in value.notes],
            "since": _listed(value.listed),
        }
    )


def _answer(answer: Answer | None) -> dict[str, Any] | None:
    if answer is None:
        return None
    return {
        "tick": instant_document(answer.tick),
        "verdict": answer.verdict.value,
        "sentence": answer.sentence,
        "because": answer.because,
        "evidence": [_evidence(evidence) for evidence in answer.evidence],
        "task_id": answer.task_id,
        "outcome": _outcome(answer.outcome),
        "commands": [f"schedsync {way}" for way in answer.way_out],
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "kind": evidence.kind.value,
        "words": evidence.words,
        "source": evidence.source,
        "at": instant_document(evidence.at),
    }


def _outcome(outcome: Outcome | None) -> dict[str, Any] | None:
    if outcome is None:
        return None
    return {
        "state": outcome.state,
        "at": instant_document(outcome.at),
        "error": outcome.error or None,
        "trouble": outcome.trouble or None,
    }


def _listed(listed: Listed | None) -> dict[str, Any] | None:
    if listed is None:
        return None
    return {
        "from": instant_text(listed.since),
        "left_out": listed.left_out,
        "ticks": [_ticks(ticks) for ticks in listed.ticks],
    }


def _ticks(ticks: Ticks) -> dict[str, Any]:
    return {
        "first": instant_text(ticks.first),
        "last": instant_text(ticks.last),
        "count": ticks.count,
        "verdict": ticks.verdict.value,
        "because": ticks.because,
        "task_id": ticks.task_id,
    }
