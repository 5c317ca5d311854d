"""The plots of docs/benchmarks.md, drawn from the figures of the same run."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.beat.results import Results

IMAGES = Path(__file__).parents[3] / "docs" / "images"
#: The colours of the lines, by name: a line has the same colour in every plot.
_COLOURS = {"stock": "#cf222e", "bare loop": "#6e7781", "ours, first": "#57a5f5", "ours": "#0550ae"}

#: Without this, pygal's own style draws thin lines.
_THICK = "inline:.series .line { stroke-width: 2.5 }"

#: Points of a line: a number of schedules, and a figure.
Points = list[tuple[int, float]]


class Plot(NamedTuple):
    """A plot with logarithmic axes; ``alt`` says in words what it shows, and ``lines`` have a name each."""

    name: str
    title: str
    below: str
    alt: str
    lines: Mapping[str, Points]


def plots(results: Results) -> list[Plot]:
    return [_rate(results), _lateness(results), _memory(results)]


def draw(results: Results, directory: Path = IMAGES) -> None:
    """Write one SVG for each plot."""
    for plot in plots(results):
        (directory / f"benchmark-{plot.name}.svg").write_text(svg(plot), encoding="utf-8")


def _rate(results: Results) -> Plot:
    sizes = results.sizes.items()
    lines = {
        "stock": [(size, of.stock_dispatch["rate"]) for size, of in sizes],
        "bare loop": [(size, of.dispatch.later.bare) for size, of in sizes],
        "ours, first": [(size, of.dispatch.first.rate) for size, of in sizes],
        "ours": [(size, of.dispatch.later.rate) for size, of in sizes],
    }
    return _plot("rate", "Messages per second", "schedules that are due", lines)


def _lateness(results: Results) -> Plot:
    late = results.late.items()
    lines = {
        "stock": [(size, of.stock.p99 * 1e3) for size, of in late],
        "ours": [(size, of.ours.p99 * 1e3) for size, of in late],
    }
    return _plot("lateness", "Milliseconds late, 99 of 100 messages", "schedules that run each second", lines)


def _memory(results: Results) -> Plot:
    sizes = results.sizes.items()
    ours = [(size, of.ours.memory / 1e6) for size, of in sizes]
    if results.large is not None:
        ours.append((results.scale.large, results.large.memory / 1e6))
    lines = {"stock": [(size, of.stock.memory / 1e6) for size, of in sizes], "ours": ours}
    return _plot("memory", "Megabytes of the loaded schedules", "enabled schedules", lines)


def _plot(name: str, title: str, below: str, lines: Mapping[str, Points]) -> Plot:
    drawn = {who: [(x, y) for x, y in points if 0 < y < math.inf] for who, points in lines.items()}
    told = "; ".join(
        f"{who}: " + ", ".join(f"{_short(y)} at {x:,}" for x, y in points) for who, points in drawn.items() if points
    )
    return Plot(name, title, below, f"{title} against the number of {below}. {told[:1].upper()}{told[1:]}.", drawn)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _powers(values: Iterable[float]) -> range:
    """Return the exponents of the powers of ten from below the values to above them."""
    logarithms = [math.log10(value) for value in values]
    low, high = math.floor(min(logarithms)), math.ceil(max(logarithms))
    return range(low, max(high, low + 1) + 1)


def svg(plot: Plot) -> str:
    """Return a picture with its own background, which is readable on a light and on a dark page, and no script."""
    pygal = _pygal()
    style = pygal.style.Style(
        background="#ffffff", plot_background="#ffffff", foreground="#24292f", foreground_strong="#24292f",
        foreground_subtle="#57606a", colors=tuple(_COLOURS[name] for name in plot.lines), opacity="1",
        font_family="system-ui, sans-serif", label_font_size=14, major_label_font_size=14, legend_font_size=15,
        title_font_size=17, guide_stroke_color="#d0d7de", major_guide_stroke_color="#d0d7de",
        guide_stroke_dasharray="none", major_guide_stroke_dasharray="none", transition="0s",
    )  # fmt: skip
    chart: Any = pygal.XY(
        style=style, width=760, height=360, js=[], logarithmic=True, title=plot.title, x_title=plot.below,
        x_value_formatter=lambda power: f"{10**power:,.0f}", value_formatter=lambda value: f"{value:,.6g}",
        dots_size=4, stroke_style={"width": 2.5}, truncate_legend=-1, margin_right=50, legend_at_bottom=True,
        legend_at_bottom_columns=len(plot.lines), css=["file://style.css", "file://graph.css", _THICK],
        no_prefix=True, disable_xml_declaration=True,
    )  # fmt: skip
    chart.add_xml_filter(_quiet(plot))
    points = [point for line in plot.lines.values() for point in line]
    sizes = sorted({size for size, _ in points})
    chart.x_labels = [math.log10(size) for size in sizes]
    powers = _powers(value for _, value in points)
    chart.y_labels = [10.0**power for power in powers]
    # A little more than the powers: pygal leaves out a label on the edge.
    chart.range = (10.0 ** powers[0] * 0.99, 10.0 ** powers[-1] * 1.01)
    for name, line in plot.lines.items():
        chart.add(name, [(math.log10(size), value) for size, value in line])
    return str(chart.render()) + "\n"


def _pygal() -> Any:
    """Import pygal without the importer that it adds for maps: Python 3.10 and 3.11 warn of it at later imports."""
    import pygal
    import pygal.style

    sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
    return pygal


def _quiet(plot: Plot) -> Callable[[Any], Any]:
    """Return a filter that removes the scripts of a chart, and gives it a fixed id instead of a random one."""

    def quiet(root: Any) -> Any:
        root.set("role", "img")
        root.set("id", f"benchmark-{plot.name}")
        for parent in list(root.iter()):
            for child in list(parent):
                if not isinstance(child.tag, str) or child.tag.endswith("script"):
                    parent.remove(child)
        return root

    return quiet
