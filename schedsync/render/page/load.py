"""The load of a week as a part of a page: maps with their legends, and in words the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schedsync.calendar.crowds import crowds
from schedsync.calendar.load import Load
from schedsync.core.names import first_names
from schedsync.render.load import maps as heatmap
from schedsync.render.load.maps import Picture, Range, Scale
from schedsync.render.load.sentences import crowd_text, load_sentence, unplaced_rate
from schedsync.render.page import svg
from schedsync.render.words import printable

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Maps:
    """Maps of one scale side by side, each as its caption and markup; ``legend`` holds for all of them."""

    maps: Sequence[tuple[str, Any]]
    legend: Sequence[Range]
    unit: str


@dataclass(frozen=True, slots=True)
class LoadSection:
    """What a page says of a load: sentences, the maps to see at once, the worst day, and the minutes that stand out."""

    sentences: Sequence[str]
    maps: Sequence[Maps]
    worst_day: Maps | None
    crowds: Sequence[str] = ()


def before_and_after(before: Load, after: Load) -> LoadSection:
    """Return the load before and after a change: first where it rises or falls, then both weeks by one scale."""
    if not heatmap.differs(before, after):
        same = ["The load of the week stays as it is.", *_sentences(after)]
        return LoadSection(same, [], _worst(after), _crowds(after))
    old, new = _unseen(before), _unseen(after)
    said = [f"Before: {text}" for text in old if text not in new]
    said += [text if text in old else f"After: {text}" for text in new]
    if not heatmap.maps_differ(before, after):
        said = ["The maps stay as they are: each known minute has as many starts as before.", *said]
        return LoadSection(said, [], _worst(after), _crowds(after))
    change, was, will = heatmap.difference(before, after), heatmap.week(before), heatmap.week(after)
    return LoadSection(
        said,
        [
            _maps([(f"Rises and falls: {change.title}", change)]),
            _maps([(f"Before: {was.title}", was), (f"After: {will.title}", will)]),
        ],
        _worst(after),
        _crowds(after),
    )


def of_a_week(load: Load) -> LoadSection:
    """Return the load of a week."""
    week = heatmap.week(load)
    return LoadSection(_sentences(load), [_maps([(week.title, week)])], _worst(load), _crowds(load))


def _crowds(load: Load) -> list[str]:
    """Write the minutes that stand out, by their pattern."""
    # Imports Celery, which no other output needs.
    from schedsync.calendar.stock_beat import slots

    return [crowd_text(crowd, now=load.window.since) for crowd in crowds(load, slots)]


def _maps(pictures: Sequence[tuple[str, Picture]]) -> Maps:
    # markupsafe is loaded here: only who wants a page waits for it.
    from markupsafe import Markup

    only = [picture for _, picture in pictures]
    scale = Scale.of(*only)
    maps = [(caption, Markup(svg.within_a_page(picture, scale))) for caption, picture in pictures]
    return Maps(maps, scale.legend(*only), only[0].unit)


def _worst(load: Load) -> Maps | None:
    """Return the minutes of the worst day; None if no minute has a start."""
    picture = heatmap.worst_day(load)
    return _maps([(picture.title, picture)]) if picture.most else None


def _sentences(load: Load) -> list[str]:
    """Write a load in words."""
    return [f"{load_sentence(load)}.", *filter(None, [_unplaced(load, "Of these,", "are in no map")])]


def _unseen(load: Load) -> list[str]:
    """Write what no map shows."""
    return [text for text in (_steady(load), _unplaced(load, "The maps leave out")) if text]


def _steady(load: Load) -> str:
    text = printable(heatmap.steady_text(load))
    return f"The maps leave out {text.removeprefix('and ')}." if text else ""


def _unplaced(load: Load, begin: str, end: str = "") -> str:
    """Write which starts are in minutes that nobody knows, as a sentence with this begin and end; empty if none are."""
    names = sorted(name for each in load.unplaced.values() for name in each.names)
    if not names:
        return ""
    what = f"{unplaced_rate(load)} of {printable(first_names(names, _NAMED))}"
    return f"{begin} {what}{end and f' {end}'}: only the last runs decide their minutes."
