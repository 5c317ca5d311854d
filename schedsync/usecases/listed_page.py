"""Lists the schedules a page at a time, for a reader in a browser."""

from __future__ import annotations

from dataclasses import dataclass, field

from schedsync.core.listing import Listing
from schedsync.core.selector import Candidate
from schedsync.database.faults import database_errors
from schedsync.database.listed_names import NameSearch, page_of_names, set_names
from schedsync.usecases.list_ import list_named, names_in_state

#: How many schedules a page has.
PAGE = 100


@dataclass(frozen=True, slots=True)
class Search:
    """What to list: schedules by their name, set and queue, and by one state; empty for any."""

    names: NameSearch = field(default_factory=NameSearch)
    state: str = ""


@dataclass(frozen=True)
class ListedPage:
    """One page of the list: ``number`` of ``pages``, from 1 on; ``total`` schedules fit. ``sets`` are all sets."""

    listing: Listing
    total: int
    number: int
    pages: int
    sets: tuple[str, ...]


def list_page(using: str, search: Search, number: int) -> ListedPage:
    """Return a page of the list; a ``number`` that is out of range means the nearest page.

    A state is known only after a schedule is compared with the ledger, so a search for one reads all schedules; every
    other search reads those of the page. Raises Unavailable where the database does not answer.
    """
    with database_errors(using):
        sets = tuple(set_names(using))
    if search.state:
        return _of_state(using, search, number, sets)
    with database_errors(using):
        total, names = page_of_names(using, search.names, _start(number), PAGE)
        if total and not names:
            number = _pages(total)
            total, names = page_of_names(using, search.names, _start(number), PAGE)
    return ListedPage(list_named(using, names), total, min(number, _pages(total)), _pages(total), sets)


def _of_state(using: str, search: Search, number: int, sets: tuple[str, ...]) -> ListedPage:
    fitting = names_in_state(using, search.state, lambda candidate: _fits(candidate, search.names))
    pages = _pages(len(fitting))
    number = min(number, pages)
    shown = fitting[_start(number) : _start(number) + PAGE]
    return ListedPage(list_named(using, shown), len(fitting), number, pages, sets)


def _fits(candidate: Candidate, names: NameSearch) -> bool:
    folded = candidate.name.casefold()
    return (
        all(part.casefold() in folded for part in names.parts)
        and names.set in ("", candidate.set)
        and names.queue in ("", candidate.queue)
    )


def _start(number: int) -> int:
    return (number - 1) * PAGE


def _pages(total: int) -> int:
    return max(-(-total // PAGE), 1)
