"""A thread that writes for the tasks of one process, in order, so that no task waits long for a database."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from schedsync.core.masked_errors import error_line

logger = logging.getLogger(__name__)

#: Seconds that a task waits for its write.
PATIENCE = 5.0
#: Seconds for which a write is tried again, and the longest pause between two attempts.
_KEEP, _PAUSE = 3600.0, 30.0
#: How many writes may wait; then new ones are dropped.
_MOST = 10_000

Work = Callable[[], None]


@dataclass
class _Item:
    work: Work
    asked_at: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)
    is_written: bool = False


class Writer:
    """Runs writes one after the other. A write that fails is tried again for an hour, and those after it wait."""

    def __init__(self, keep: float = _KEEP) -> None:
        self._keep = keep
        self._start_anew()
        # A pool's child has none of its parent's threads.
        os.register_at_fork(after_in_child=self._start_anew)

    def _start_anew(self) -> None:
        self._lock = threading.Lock()
        self._items: queue.Queue[_Item] = queue.Queue(_MOST)
        self._thread: threading.Thread | None = None
        self._is_behind = False

    def do(self, work: Work, patience: float = PATIENCE) -> bool:
        """Run a write, and wait for it at most ``patience`` seconds, or not at all while earlier ones wait.

        Returns whether it was written by then. Raises nothing.
        """
        item = _Item(work)
        try:
            self._require_thread()
            self._items.put_nowait(item)
        except Exception as error:
            logger.warning("a run is not tracked: %s", error_line(error))
            return False
        if self._is_behind:
            return False
        if item.done.wait(patience):
            return item.is_written
        self._is_behind = True
        logger.warning("the start or the end of a run is not written yet; tasks do not wait for it")
        return False

    def _require_thread(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="schedsync-runs", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            item = self._items.get()
            item.is_written = self._write(item)
            item.done.set()
            if self._items.empty():
                self._is_behind = False

    def _write(self, item: _Item) -> bool:
        pause = 0.5
        while True:
            try:
                item.work()
            except Exception as error:
                if not self._is_behind:
                    logger.warning("the start or the end of a run cannot be written: %s", error_line(error))
                # Until it is written, tasks do not wait.
                self._is_behind = True
                item.done.set()
                if time.monotonic() - item.asked_at > self._keep:
                    logger.warning("the start or the end of a run was not written for an hour, and is dropped")
                    return False
                time.sleep(pause)
                pause = min(2 * pause, _PAUSE)
            else:
                return True
