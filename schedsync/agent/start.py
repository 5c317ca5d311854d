"""An agent from its options: the mirrors are opened, and then it runs, or each follow takes one turn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from threading import Event

from schedsync.agent.follow import Follow
from schedsync.agent.lease import AgentLease
from schedsync.agent.loop import Loop
from schedsync.agent.observers import Observer, tell
from schedsync.agent.options import AgentOptions, FollowOptions
from schedsync.agent.process import Process
from schedsync.agent.reports import Reports
from schedsync.agent.state import State
from schedsync.git.mirror import open_mirror
from schedsync.usecases.agent import Kept, Turn, Turns
from schedsync.usecases.follow_logger import FollowLogger

_Serving = Callable[[Sequence[State]], AbstractContextManager[int]]


@contextmanager
def _opened(options: AgentOptions) -> Iterator[dict[str, Turns]]:
    """Open the mirror of each follow, and yield the turns by the names; raises WrongUsage where one cannot be used."""
    with ExitStack() as stack:
        yield {follow.name: stack.enter_context(_turns(follow)) for follow in options.follows}


@contextmanager
def _turns(follow: FollowOptions) -> Iterator[Turns]:
    kept = Kept(
        follow.using, follow.environment, follow.path, follow.heal, follow.allow_rewind, follow.keys,
        follow.lock_timeout, follow.settle, follow.set, follow.name,
    )  # fmt: skip
    if follow.remote.is_open_to_all and kept.keys is None:
        FollowLogger("schedsync.agent", follow.name).warning(
            "anybody on the way to %s can change what is fetched: use https, ssh or signatures", follow.remote.shown
        )
    size = follow.fetch_size * 2**20
    with open_mirror(follow.remote, follow.directory, follow.fetch_timeout, size) as mirror:
        yield Turns(kept, mirror)


def turn_once(options: AgentOptions, observers: tuple[Observer, ...] = ()) -> list[Turn]:
    """Take one turn of each follow, and return the turns; all remotes are asked at the same time."""
    ended, turns = Event(), []
    with _opened(options) as opened, ThreadPoolExecutor(len(opened), "schedsync-fetch") as fetcher:
        for each in opened.values():
            each.stop = ended.is_set
        try:
            fetches = [(each, fetcher.submit(each.fetch)) for each in opened.values()]
            for each, fetch in fetches:
                turns.append(each.after(fetch.result()))
                Reports(each.kept.name).add(turns[-1])
                tell(observers, turns[-1])
        finally:
            # After an interruption the executor waits for its threads, which ask whether to stop.
            ended.set()
    return turns


def run(options: AgentOptions, serving: _Serving | None = None, observers: tuple[Observer, ...] = ()) -> None:
    """Run until a signal comes. ``serving`` serves the states of the follows in its block, and yields the port."""
    with _opened(options) as opened:
        process = Process([_loop(options, opened, using, observers) for using in options.databases])
        for follow in options.follows:
            logger = FollowLogger("schedsync.agent", follow.name)
            logger.info("follows %s of %s", follow.remote.followed, follow.remote.shown)
        with serving(process.states) if serving else nullcontext() as port:
            if port is not None:
                logging.getLogger("schedsync.agent").info("listens on port %d", port)
            process.run()


def _loop(options: AgentOptions, opened: dict[str, Turns], using: str, observers: tuple[Observer, ...]) -> Loop:
    follows = [Follow(opened[each.name], each.interval) for each in options.follows if each.using == using]
    return Loop(follows, AgentLease(using, is_one_of_several=len(options.databases) > 1), observers)
