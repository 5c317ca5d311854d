"""A forecast as a page, and its load map as SVG."""

from __future__ import annotations

from schedsync.calendar.forecast import Forecast
from schedsync.render import heatmap
from schedsync.render.forecast import run_text, unplaced_text
from schedsync.render.html import rendered


def svg(value: Forecast) -> str:
    """Write the load picture of the week as SVG."""
    return heatmap.svg(heatmap.week(value.load)) + "\n"


def html(value: Forecast) -> str:
    """Write a forecast as one page that loads nothing."""
    pictures = [heatmap.week(value.load), heatmap.worst_day(value.load)]
    return rendered(
        "forecast.html",
        forecast=value,
        span=heatmap.span(value.load),
        pictures=[(one.title, heatmap.svg(one, styled=False)) for one in pictures],
        run_text=run_text,
        unplaced=unplaced_text(value.load),
    )
