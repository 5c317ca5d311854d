"""Sends a schedule's message now, at the request of a person; no claim and no last run is written."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from schedsync.beat.by_hand import HandMessage, HandSender, Runnable
from schedsync.beat.message import Payload
from schedsync.core.hand_run import MOST_TICKS, SentNow
from schedsync.core.refusal import Refusal
from schedsync.core.secrets import masked
from schedsync.core.selector import Selector
from schedsync.database.actor import who
from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.hand_runs import record_now
from schedsync.errors import Refused, WrongUsage
from schedsync.usecases.run_checks import NOT_SENT, Chosen, choose_schedules, require_no_pause


@dataclass(frozen=True, slots=True)
class NowRequest:
    """What to send: the schedules, ``most`` of them, and the arguments that replace those of the row, or None."""

    selector: Selector
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    environment: str | None = None
    allow_paused: bool = False
    most: int = MOST_TICKS

    @property
    def replaces(self) -> bool:
        """Whether it replaces arguments."""
        return self.args is not None or self.kwargs is not None


def run(using: str, request: NowRequest) -> Iterator[SentNow]:
    """Send each schedule that is selected, in the order of their names; yields each as it is sent and recorded.

    Raises Refused while one of them is paused, Unavailable where the broker or the database does not answer, Failed
    where the broker refuses a message. What was sent until then is recorded.
    """
    actor = who()
    with database_errors(using):
        app, chosen = choose_schedules(using, request.selector, request.environment)
        _check_number(request, len(chosen.runnable))
        if not request.allow_paused:
            require_no_pause(using, chosen.runnable.keys())
        sender = HandSender(app)
        try:
            sender.connect()
            for name in sorted(chosen.runnable):
                yield _send(using, sender, chosen, name, request, actor)
        finally:
            sender.close()


def _check_number(request: NowRequest, count: int) -> None:
    if request.replaces and count > 1:
        message = f"`--args` and `--kwargs` are for one schedule, and {count:,} are selected"
        raise WrongUsage(message, hint="select one schedule")
    if count > request.most:
        message = f"{count:,} schedules are selected, {request.most:,} may be sent"
        hint = f"select fewer schedules, or allow more by `--max {count}`"
        raise Refused([Refusal("too_many_ticks", message, hint)], NOT_SENT)


def _send(using: str, sender: HandSender, chosen: Chosen, name: str, request: NowRequest, actor: str) -> SentNow:
    """Record a message and send it in one transaction: what is not sent is not recorded either."""
    runnable, at = chosen.runnable[name], now()
    message = _message(runnable, request, at, actor)
    sent = SentNow(name, chosen.sets[name], message.task, message.task_id, at, chosen.note(name, at))
    arguments = {"args": masked(message.args), "kwargs": masked(message.kwargs), "replaced": request.replaces}
    with transaction.atomic(using=using, durable=True):
        record_now(using, sent, actor, arguments)
        sender.send(message)
    return sent


def _message(runnable: Runnable, request: NowRequest, at: datetime, actor: str) -> HandMessage:
    payload = runnable.payload
    args = payload.args if request.args is None else json.dumps(request.args)
    kwargs = payload.kwargs if request.kwargs is None else json.dumps(request.kwargs)
    return HandMessage(runnable.loaded, at, Payload(args, kwargs, payload.headers), by=actor, own_id=str(uuid.uuid4()))
