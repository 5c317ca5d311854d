"""The alarms of the commands: drift that a job found, applies that failed, and a test of the services."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured

from schedsync.alarms.desk import Desk
from schedsync.alarms.settings import SETTING, notify_setting
from schedsync.alarms.tell import tell, try_services
from schedsync.core.alarm import Alarm, Kind
from schedsync.core.alarm_text import trial_letter
from schedsync.core.rollout import Rollout, RolloutState
from schedsync.database.actor import who
from schedsync.database.apply_failures import is_failure
from schedsync.database.environment import named_environment
from schedsync.errors import NotConfirmed, NotLoaded, Refused, SchedsyncError, WrongUsage
from schedsync.planning.outcome import Outcome
from schedsync.usecases.target import Target

_DRIFT, _APPLY = frozenset({Kind.DRIFT}), frozenset({Kind.APPLY_FAILED})
_FIRST_RUN = frozenset({Kind.FIRST_RUN})

Say = Callable[[str], None]


def tell_drift(target: Target, changed: Iterable[str], held: Iterable[str], say: Say) -> None:
    """Send an alarm for each schedule that somebody changed or holds, and for each that is as in Git again."""
    name = target.config.set
    on = [Alarm(Kind.DRIFT, each, "edited in the database", name) for each in changed]
    on += [Alarm(Kind.DRIFT, each, "disabled by a human", name) for each in held]
    _tell(target, on, _DRIFT, name, say)


@contextmanager
def told_failure(target: Target, say: Say) -> Iterator[None]:
    """Send an alarm if the apply in the block fails or is refused; what is noted as a failure is one here too."""
    try:
        yield
    except SchedsyncError as error:
        if is_failure(error):
            codes = [refusal.code for refusal in error.refusals] if isinstance(error, Refused) else []
            _tell_failure(target, error.failure_reason, ", ".join(dict.fromkeys(codes)), say)
        raise


def tell_outcome(target: Target, outcome: Outcome, say: Say) -> None:
    """Send an alarm if an apply does not hold, or that the set is applied after an apply that failed."""
    if not outcome.unconfirmed and outcome.is_loaded:
        _tell(target, [], _APPLY, target.config.set, say)
    else:
        error = NotConfirmed if outcome.unconfirmed else NotLoaded
        _tell_failure(target, error.failure_reason, "", say)


def tell_rollout(target: Target, rollout: Rollout, say: Say) -> None:
    """Send an alarm that a rollout ended badly; it is sent once, by the process that looks first."""
    text = f"{rollout.text}; rolled back" if rollout.state is RolloutState.ROLLED_BACK else rollout.text
    on = [Alarm(Kind.FIRST_RUN, rollout.set, text, rollout.set, str(rollout.run))]
    _tell(target, on, _FIRST_RUN, rollout.set, say)


def _tell_failure(target: Target, reason: str, codes: str, say: Say) -> None:
    name = target.config.set
    text = f"{reason.replace('_', ' ')}{f': {codes}' if codes else ''}; by {who()}"
    _tell(target, [Alarm(Kind.APPLY_FAILED, name, text, name, f"{reason} {codes}")], _APPLY, name, say)


def _tell(target: Target, on: Iterable[Alarm], kinds: frozenset[Kind], scope: str, say: Say) -> None:
    try:
        setting = notify_setting()
    except ImproperlyConfigured as error:
        say(f"no alarm is sent: {error}")
        return
    if setting is not None and setting.rules.kinds & kinds:
        tell(Desk(target.using, setting, target.environment), on, kinds, scope, say)


def services_tried() -> list[tuple[str, str]]:
    """Send a test alarm to each service; returns its masked name, and what is wrong or an empty text.

    Raises WrongUsage where SCHEDSYNC_NOTIFY names no service, or cannot be used.
    """
    try:
        setting = notify_setting()
    except ImproperlyConfigured as error:
        raise WrongUsage(str(error), hint="see docs/guides/alarms.md") from error
    if setting is None:
        raise WrongUsage(f"{SETTING} names no service", hint=f"set {SETTING} to a list of Apprise URLs")
    letter = trial_letter(named_environment(), who())
    return [(service.name, problem) for service, problem in try_services(setting, letter)]
