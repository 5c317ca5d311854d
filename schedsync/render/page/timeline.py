"""A timeline as SVG that loads nothing and has no rules: its text takes the colour of the page, light or dark."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from xml.sax.saxutils import escape, quoteattr

from schedsync.calendar.timeline import Lane, QueueLanes, Timeline
from schedsync.core.names import shortened
from schedsync.core.timing import WEEKDAYS
from schedsync.render.load import lanes as words
from schedsync.render.page.svg import GROUND

#: Readable on white and on black alike.
COLOUR = "#3a86c8"
FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
_NAMES, _PLOT, _WORDS = 220, 560, 230
_WIDTH = _NAMES + _PLOT + _WORDS
_HEAD, _QUEUE, _LANE, _POINT, _LINE = 22, 30, 22, 3.5, 18
#: In characters that fit beside the plot.
_LONGEST_NAME, _LONGEST_WORDS = 30, 37
_HOURS = (1, 2, 3, 6, 12, 24, 48, 72, 168)
#: At most this many lines of the grid.
_LINES = 14


def within_a_page(value: Timeline) -> str:
    """Write a timeline for a page, in whose colour its text is."""
    body, height = _body(value)
    return _svg(value, body, height)


def alone(value: Timeline) -> str:
    """Write a timeline as a file: with its title, a ground of its own, and what it does not show."""
    body, height = _body(value)
    notes = list(words.notes(value))
    head = [
        f"<style>{_rules()}</style>",
        '<rect class="ground" width="100%" height="100%"/>',
        f'<text x="10" y="24" font-size="14" font-weight="600">{escape(words.title(value))}</text>',
        '<g transform="translate(0 34)">',
        *body,
        "</g>",
        *(
            f'<text x="10" y="{34 + height + 14 + number * _LINE}" fill-opacity=".8">{escape(note)}</text>'
            for number, note in enumerate(notes)
        ),
    ]
    return _svg(value, head, 34 + height + 10 + len(notes) * _LINE)


def _rules() -> str:
    (light, _), (dark, _) = GROUND[False], GROUND[True]
    return (
        f"\n.timeline {{ color: #1f2328; }} .ground {{ fill: {light}; }}\n"
        "@media (prefers-color-scheme: dark) {"
        f" .timeline {{ color: #e6edf3; }} .ground {{ fill: {dark}; }} }}\n"
    )


def _svg(value: Timeline, body: list[str], height: float) -> str:
    says = f"{words.title(value)}: {'; '.join(_spoken(value)) or 'no run'}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" viewBox="0 0 {_WIDTH} {height:g}" '
            f'width="{_WIDTH}" height="{height:g}" role="img" aria-label={quoteattr(says)} fill="currentColor" '
            f'font-family="{FONT}" font-size="12">',
            f"<title>{escape(says)}</title>",
            *body,
            "</svg>\n",
        ]
    )


def _spoken(value: Timeline) -> Iterator[str]:
    for queue in value.queues:
        yield f"{words.queue_name(queue)}, {words.queue_words(queue, value)}"


def _body(value: Timeline) -> tuple[list[str], float]:
    """Return the marks below the title, and how high they are."""
    parts: list[str] = []
    y = 0.0
    for queue in value.queues:
        parts += _queue_head(queue, value, y)
        lanes = [*queue.lanes, *([queue.rest] if queue.rest else [])]
        parts += _grid(value, y + _QUEUE, y + _QUEUE + _HEAD - 4 + len(lanes) * _LANE)
        y += _QUEUE + _HEAD
        for lane in lanes:
            parts += _lane(lane, value, y)
            y += _LANE
        y += 6
    if not value.queues:
        parts.append('<text x="10" y="18">no schedule runs in this time</text>')
        y = 28.0
    return parts, y


def _queue_head(queue: QueueLanes, value: Timeline, y: float) -> Iterator[str]:
    name = shortened(words.queue_name(queue), 60)
    text = f'{escape(name)}<tspan font-weight="400" fill-opacity=".8">: {escape(words.queue_words(queue, value))}'
    yield f'<text x="10" y="{y + 20:g}" font-size="13" font-weight="600">{text}</tspan></text>'


def _grid(value: Timeline, top: float, bottom: float) -> Iterator[str]:
    """Yield a line and a label for each whole hour; in a long window for every second, third or later hour."""
    hours = (value.end - value.start) / timedelta(hours=1)
    step = next((each for each in _HOURS if hours / each <= _LINES), _HOURS[-1])
    midnight = value.start.astimezone(value.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(int((hours + 24) / step) + 1):
        at = (midnight + timedelta(hours=number * step)).astimezone(value.zone)
        x = _x(at, value)
        if at < value.start or x > _NAMES + _PLOT - 10:
            continue
        label = f"{WEEKDAYS[at.weekday()]} {at.day}" if step >= 24 or (hours > 30 and not at.hour) else f"{at.hour:02}"
        yield f'<text x="{x:g}" y="{top + 12:g}" font-size="11" fill-opacity=".8" text-anchor="middle">{label}</text>'
        yield f'<path d="M{x:g} {top + 18:g}V{bottom:g}" stroke="currentColor" stroke-opacity=".18"/>'


def _x(at: datetime, value: Timeline) -> float:
    share = (at - value.start) / (value.end - value.start)
    return round(_NAMES + _PLOT * min(1.0, max(0.0, share)), 1)


def _lane(lane: Lane, value: Timeline, y: float) -> Iterator[str]:
    middle = y + _LANE / 2
    name, said = words.lane_name(lane), words.lane_words(lane, value)
    yield f"<g><title>{escape(f'{name}: {said}')}</title>"
    yield f'<path d="M{_NAMES} {middle:g}h{_PLOT}" stroke="currentColor" stroke-opacity=".18"/>'
    short = shortened(name, _LONGEST_NAME)
    yield f'<text x="{_NAMES - 12}" y="{middle + 4:g}" text-anchor="end">{escape(short)}</text>'
    yield from _marks(lane, value, middle)
    said = shortened(said, _LONGEST_WORDS)
    yield f'<text x="{_NAMES + _PLOT + 12}" y="{middle + 4:g}" fill-opacity=".8">{escape(said)}</text></g>'


def _marks(lane: Lane, value: Timeline, y: float) -> Iterator[str]:
    if lane.unplaced:
        yield (
            f'<path d="M{_NAMES} {y:g}h{_PLOT}" stroke="{COLOUR}" stroke-width="7" stroke-opacity=".7" '
            'stroke-dasharray="2 5"/>'
        )
    if lane.running_since is not None:
        end = _x(lane.running_since + timedelta(seconds=lane.seconds or 0), value)
        yield _bar(_NAMES, max(end, _NAMES + 4), y, 3)
    for stretch in lane.stretches:
        first, last = _x(stretch.first, value), _x(stretch.last, value)
        if stretch.first < stretch.last:
            title = f"<title>{escape(words.stretch_words(stretch, value))}</title>"
            yield _bar(first - 2, max(last, first + 2) + 2, y, 5, title)
            continue
        if lane.seconds:
            yield _bar(first, _x(stretch.first + timedelta(seconds=lane.seconds), value), y, 2)
        title = escape(words.stretch_words(stretch, value))
        yield f'<circle cx="{first:g}" cy="{y:g}" r="{_POINT:g}" fill="{COLOUR}"><title>{title}</title></circle>'


def _bar(first: float, last: float, y: float, half: int, inside: str = "") -> str:
    first = max(_NAMES, first)
    width = max(1.0, min(last, _NAMES + _PLOT) - first)
    return (
        f'<rect x="{first:g}" y="{y - half:g}" width="{width:.1f}" height="{2 * half}" rx="2" fill="{COLOUR}"'
        f"{f'>{inside}</rect>' if inside else '/>'}"
    )
