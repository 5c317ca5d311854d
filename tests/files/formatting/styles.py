"""Random files of schedules in random styles: what one author or another would write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]
WORDS = [
    "reports",
    "café",
    "on",
    "08:30",
    "a, b",
    "it's",
    'say "x"',
    "back\\slash",
    "#1",
    "[x]",
    "yes",
    "é🎉",
    "a: b",
    "12",
]
VALUES: Mapping[str, list[str]] = {
    "every": ["60s", "1m", "'90s'", '"3600s"', "5 m", "24h"],
    "crontab": ['"0  3 * * *"', "'*/5 * * * *'", "0 4 * * 1", '"@daily"'],
    "timezone": ["Europe/Berlin", "'UTC'", '"Asia/Tokyo"'],
    "queue": ["reports", '"reports"', "'on'", '"a\\u00e9"', "null", "~"],
    "expires_after": ["120s", "2m", "'1h'"],
    "start_at": ["2030-01-01T00:00:00Z", '"2030-01-01T00:00:00+01:00"'],
    "priority": ["5", "0x5", "7"],
    "enabled": ["true", "True", "TRUE"],
    "one_off": ["false", "False"],
    "owner": ["team-data", "'team data'", '"x"'],
    "description": ["plain words", "'quoted'", '"two \\n lines"', "''"],
    "ignore_changes": ["[queue,enabled]", "[ queue ]", "[queue, ]"],
    "labels": ["{tier: gold}", "{ tier : gold,team: 'a' }"],
}
LONG = ["one", "two words", "", "  deeper", "# no comment", "- dash", "key: value"]


class Writer:
    """Writes one file line by line; ``draw`` chooses, and each comment has a number of its own."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.lines: list[str] = []
        self.step = draw(st.integers(1, 5))
        self.list_step = draw(st.sampled_from([0, 0, self.step]))
        self.count = 0
        self.anchors: list[str] = []

    def chance(self, percent: int) -> bool:
        return bool(self.draw(st.integers(0, 99)) < percent)

    def pick(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(list(choices)))

    def comment(self) -> str:
        self.count += 1
        return f"# c{self.count}" + ("  " if self.chance(20) else "")

    def gap(self, column: int) -> None:
        """Write blank lines and comments, mostly at a column."""
        while self.chance(25):
            if self.chance(50):
                self.lines.append(self.pick(["", "", "   "]))
            else:
                indent = max(0, column + self.pick([0, 0, 0, -self.step, self.step, 1]))
                self.lines.append(" " * indent + self.comment())

    def line(self, column: int, text: str) -> None:
        """Write a line of a node, perhaps with a comment behind it."""
        tail = f"{self.pick([' ', '   '])}{self.comment()}" if self.chance(15) else self.pick(["", "", "", " "])
        self.lines.append(" " * column + text + tail)

    def block(self, column: int, fields: Mapping[str, Any]) -> None:
        """Write a mapping in block style."""
        for key, value in fields.items():
            self.gap(column)
            self.entry(column, key, value)
        if self.chance(15):
            self.gap(column)

    def entry(self, column: int, key: str, value: Any) -> None:
        mark = self.pick([":", ":", ":", " :"]) + " " * self.pick([1, 1, 3])
        if isinstance(value, str):
            if self.chance(5):
                self.line(column, f"{key}:")
                self.line(column + self.step, value)
            else:
                self.line(column, f"{key}{mark}{value}")
        elif isinstance(value, dict):
            anchor = value.pop("&", None)
            self.line(column, f"{key}:" + (f" &{anchor}" if anchor else ""))
            self.block(column + self.step, value)
        elif isinstance(value, list):
            self.line(column, f"{key}:")
            self.items(column + self.list_step, value)
        else:
            self.text_block(column, key, value)

    def items(self, column: int, items: list[Any]) -> None:
        for item in items:
            self.gap(column)
            dash = "-" + " " * self.pick([1, 1, 3])
            if isinstance(item, dict):
                (key, value), *rest = item.items()
                self.line(column, f"{dash}{key}: {value}")
                for other, each in rest:
                    self.line(column + len(dash), f"{other}: {each}")
            else:
                self.line(column, dash + item)

    def text_block(self, column: int, key: str, value: tuple[str, ...]) -> None:
        indicator = self.pick(["|", "|-", ">", ">-"] + (["|+"] if self.chance(5) else []))
        comment = f" {self.comment()}" if self.chance(10) else ""
        self.lines.append(f"{' ' * column}{key}: {indicator}{comment}")
        self.lines.append(f"{' ' * (column + self.step)}begin")
        self.lines += [f"{' ' * (column + self.step)}{line}" if line else "" for line in value]


def shuffled(draw: Draw, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: values[key] for key in draw(st.permutations(list(values)))}


def flow(writer: Writer, fields: Mapping[str, str]) -> str:
    """Write a mapping in flow style, perhaps in several lines."""
    colon, comma = writer.pick([": ", " : ", ":  "]), writer.pick([", ", ",", " , "])
    if writer.chance(15):
        comma = ",\n" + " " * 12
    return "{" + writer.pick(["", " "]) + comma.join(f"{key}{colon}{value}" for key, value in fields.items()) + "}"


def arguments(writer: Writer) -> Any:
    kind = writer.pick(["flow", "block", "list"])
    words = [writer.pick(["1", "true", "True", '"on"', "'é🎉'", "plain", '"{x}"', "~", "'x y'"]) for _ in range(3)]
    if kind == "list":
        return {"all": [*words, {"deep": "1", "er": "'two'"}], "every": "60s"}
    fields = dict(zip(["one", "every", "crontab"], words, strict=True))
    return flow(writer, fields) if kind == "flow" else fields


def schedule(writer: Writer, environments: bool = True) -> Any:
    timing = writer.pick(["every", "crontab"])
    names = [name for name in VALUES if name not in ("every", "crontab") and writer.chance(30)]
    fields: dict[str, Any] = {name: writer.pick(VALUES[name]) for name in (timing, *names)}
    fields["task"] = writer.pick(["shop.tasks.a", "'shop.tasks.b'"])
    if writer.chance(20):
        return flow(writer, shuffled(writer.draw, {key: fields[key] for key in (timing, "task")}))
    if writer.chance(40):
        fields["kwargs"] = arguments(writer)
    if writer.chance(15):
        fields["description"] = tuple(writer.draw(st.lists(st.sampled_from(LONG), max_size=4)))
    if writer.chance(20) and timing == "crontab":
        fields["crontab"] = shuffled(writer.draw, {"minute": "0", "hour": "' 3'", "day_of_week": "mon"})
    if environments and writer.chance(25):
        fields["environments"] = {
            "staging": {"queue": "'x'", "enabled": "True"},
            "production": flow(writer, {"priority": "3", "queue": "b"}),
        }
    if writer.anchors and writer.chance(30):
        fields["<<"] = f"*{writer.pick(writer.anchors)}"
    fields = shuffled(writer.draw, fields)
    if writer.chance(15):
        fields["&"] = f"a{len(writer.anchors)}"
        writer.anchors.append(fields["&"])
    return fields


@st.composite
def files(draw: Draw) -> str:
    """Return the text of a file that our reader takes without an error in its YAML."""
    writer = Writer(draw)
    own = {}
    if writer.chance(40):
        writer.anchors.append("often")
        own = {"x-often": {"&": "often", "expires_after": "60s", "owner": "'me'"}}
    defaults = (
        {"defaults": shuffled(draw, {"timezone": "'UTC'", "queue": "reports", "adopt": "true"})}
        if writer.chance(40)
        else {}
    )
    first = writer.pick(["a", '"b c"', "'é'", "sync-x", "on"])
    names = [first, *(f"s{index}" for index in range(draw(st.integers(0, 4))))]
    schedules = {name: schedule(writer) for name in names}
    removed = {"removed": ["old", "'old b'", {"name": "c", "keep_row": "True"}]} if writer.chance(30) else {}
    parts = {"version": "1", **removed} if writer.chance(50) else {"version": "1", **defaults, **removed}
    head = list(shuffled(draw, {**own, **parts}).items())
    head.insert(draw(st.integers(0, len(head))) if not own else len(head), ("schedules", schedules))
    writer.block(0, dict(head))
    text = "\n".join(writer.lines) + writer.pick(["\n", "", "\n\n"])
    return text.replace("\n", "\r\n") if writer.chance(20) else text
