"""What an agent does beside its turns, in a thread: it tells services, which can hang, and must delay no turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from schedsync.agent.pace import Pace
from schedsync.core.masked_errors import masked_error
from schedsync.errors import SchedsyncError
from schedsync.http.errors import ServiceAway, ServiceError
from schedsync.usecases.follow_logger import FollowLogger

#: Seconds after which a service that failed is asked again; it becomes more, at most five minutes.
_AGAIN = 10.0
#: The jobs that wait at most; the oldest are forgotten.
_MOST = 100


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be told: ``run`` raises ServiceError or SchedsyncError if that fails; ``done`` is called after it.

    ``what`` says what was not done then; ``commit`` and ``follow`` say which one it is about.
    """

    run: Callable[[], None]
    what: str
    commit: str
    follow: str
    done: Callable[[], None] = lambda: None

    @property
    def logger(self) -> FollowLogger:
        """The logger of its follow."""
        return FollowLogger(__name__, self.follow)


@dataclass
class Background:
    """Jobs by a key: a newer one takes the place of one that waits. ``name`` is that of the thread.

    What failed is tried again after a later turn, and logged once.
    """

    name: str
    clock: Callable[[], float] = time.monotonic
    _waiting: dict[Hashable, Job] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _problems: dict[Hashable, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pace = Pace(_AGAIN, self.clock)

    def put(self, key: Hashable, job: Job | None) -> None:
        """Let a job wait in the place of the one of its key; None takes that one away."""
        with self._lock:
            self._waiting.pop(key, None)
            if job is not None:
                self._waiting[key] = job
            else:
                self._problems.pop(key, None)
            while len(self._waiting) > _MOST:
                oldest = next(iter(self._waiting))
                del self._waiting[oldest]
                self._problems.pop(oldest, None)

    def start(self) -> None:
        """Begin with what waits, unless that is under way, or has failed a moment ago."""
        with self._lock:
            if self._thread is not None or not self._waiting or not self._pace.is_due:
                return
            thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            # It raises RuntimeError where the host has no thread left: a later turn tries again.
            thread.start()
            self._thread = thread

    def wait(self, seconds: float) -> None:
        """Wait until what is under way is done, or the seconds are over."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        tried: list[Job] = []
        while (found := self._next(tried)) is not None:
            key, job = found
            tried.append(job)
            try:
                job.run()
            except (ServiceError, SchedsyncError) as error:
                self._failed(key, job, str(error))
                if isinstance(error, ServiceAway):
                    self._end()
                    return
            except Exception as error:
                # What a service answers must not end the jobs of this agent.
                hidden = masked_error(error)
                job.logger.error(
                    "%s, because of a bug of schedsync", job.what, exc_info=hidden, extra={"commit": job.commit}
                )
                self._failed(key, job, repr(hidden))
            else:
                self._done(key, job)

    def _next(self, tried: list[Job]) -> tuple[Hashable, Job] | None:
        """Return what waits and was not tried by this thread; without any the thread ends."""
        with self._lock:
            found = next(((key, job) for key, job in self._waiting.items() if job not in tried), None)
            if found is None:
                self._thread = None
            return found

    def _end(self) -> None:
        with self._lock:
            self._thread = None

    def _done(self, key: Hashable, job: Job) -> None:
        self._pace.failures = 0
        with self._lock:
            if self._problems.pop(key, None) is not None:
                job.logger.info("what failed works again", extra={"commit": job.commit})
            if self._waiting.get(key) is job:
                del self._waiting[key]
            job.done()

    def _failed(self, key: Hashable, job: Job, problem: str) -> None:
        with self._lock:
            if problem != self._problems.get(key):
                job.logger.warning("%s, and it is tried again: %s", job.what, problem, extra={"commit": job.commit})
            self._problems[key] = problem
        self._pace.done(failed=True)
