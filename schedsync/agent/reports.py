"""What an agent logs of its turns: each event when it begins, and not at each turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schedsync.core.finding import Finding
from schedsync.core.names import first_names
from schedsync.errors import InvalidSet, Refused, SchedsyncError
from schedsync.render.words import DONE, printable
from schedsync.usecases.agent import Turn, is_lost
from schedsync.usecases.follow_logger import DEFAULT, FollowLogger

#: The findings that a line names.
_MOST = 20


@dataclass
class Reports:
    """Logs what is new in a turn of the follow of this name."""

    follow: str = DEFAULT
    _fetch: str = ""
    _problem: tuple[str | None, str] = (None, "")
    _left: tuple[str, ...] = ()
    _held: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._logger = FollowLogger(__name__, self.follow)

    def add(self, turn: Turn) -> None:
        """Log what a turn found that the one before did not."""
        if turn.asked:
            self._add_fetch(turn)
        if turn.problem is not None or not turn.put_off:
            self._add_problem(turn)
        self._add_outcome(turn)
        self._add_drift(turn)

    def _add_fetch(self, turn: Turn) -> None:
        text = "" if turn.fetch_problem is None else words(turn.fetch_problem)
        if text and text != self._fetch:
            kept = turn.commit[:12] if turn.commit else "nothing"
            self._logger.error("%s; kept: %s", text, kept, extra={"commit": turn.commit, "failure_reason": _code(turn)})
        elif not text and self._fetch:
            self._logger.warning("the remote is back, at %s", turn.name, extra={"commit": turn.commit})
        self._fetch = text

    def _add_problem(self, turn: Turn) -> None:
        error = None if is_lost(turn.problem) else turn.problem
        known, self._problem = self._problem, (turn.tried if error else None, words(error) if error else "")
        if error is None or self._problem == known:
            return
        reason = error.failure_reason
        self._logger.error(
            "commit %s is not applied: %s", (turn.tried or "")[:12], words(error),
            extra={"commit": turn.tried, "failure_reason": reason, "findings": places(error)},
        )  # fmt: skip

    def _add_outcome(self, turn: Turn) -> None:
        outcome = turn.outcome
        if outcome is None or turn.commit is None:
            return
        healed = [change.name for change in outcome.changes if change.cause != "files"]
        counts = ", ".join(f"{count:,} {DONE[kind]}" for kind, count in outcome.summary().items() if count)
        self._logger.warning(
            "applied commit %s of %s: %s", turn.commit[:12], turn.name or "the last fetch", counts or "no change",
            extra={"commit": turn.commit, "run": outcome.run, "changes": outcome.summary(), "schedules": healed},
        )  # fmt: skip
        if healed:
            self._logger.warning("undone edits by others: %s", first_names(healed, 5), extra={"schedules": healed})
        if outcome.unconfirmed:
            names = list(outcome.unconfirmed)
            self._logger.error("written back by another program: %s", first_names(names, 5), extra={"schedules": names})

    def _add_drift(self, turn: Turn) -> None:
        left = tuple(sorted(change.name for change in turn.left))
        if left and left != self._left:
            self._logger.warning(
                "edited by others, and left so: %s", first_names(left, 5), extra={"schedules": list(left)}
            )
        if turn.held and turn.held != self._held:
            names = list(turn.held)
            self._logger.warning(
                "stopped by people, and left so: %s", first_names(names, 5), extra={"schedules": names}
            )
        self._left, self._held = left, turn.held


def _code(turn: Turn) -> str:
    return turn.fetch_problem.failure_reason if turn.fetch_problem else ""


def words(error: SchedsyncError) -> str:
    """Return an error on one line, with the places of its findings or the words of its refusals.

    No path and no text of the remote can end the line, or write to a terminal.
    """
    if isinstance(error, Refused):
        return printable("refused: " + "; ".join(refusal.message for refusal in error.refusals))
    if isinstance(error, InvalidSet):
        count = len(_errors(error.findings))
        return "; ".join([f"{count} error{'s' * (count != 1)} in the files", *places(error)])
    return printable(error.message)


def places(error: SchedsyncError) -> list[str]:
    """Return the first errors among the findings, each with its place; empty for an error of another kind."""
    return [printable(f"{found.location}: {found.code} {found.message}") for found in _findings(error)[:_MOST]]


def _findings(error: SchedsyncError) -> list[Finding]:
    return _errors(error.findings) if isinstance(error, InvalidSet) else []


def _errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]
