from __future__ import annotations

import json
import re
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from markdown_it import MarkdownIt

from schedsync.core.change import Change, Consequence, Create, Delete, Edit, FieldChange, Held, Update
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.observed import Observed, Paused, Row
from schedsync.core.origin import Binding
from schedsync.core.pausing import Pauses
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import Spec, Template
from schedsync.core.selector import Selector
from schedsync.core.timing import Interval
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.render.comment import markdown
from schedsync.render.programs import github, json_
from schedsync.render.programs.sarif import help_uri
from schedsync.render.terminal import text
from schedsync.render.terminal.drift import drift as drift_text
from schedsync.render.terminal.outcome import outcome as outcome_text
from schedsync.render.terminal.pauses import paused_text
from schedsync.schemas.validator import PLAN, problems
from tests.conftest import NOW

SHORT = markdown.Extent(30_000, "The summary lists all of it.")

SPEC = Spec("t", Interval(60_000_000))
EVIL = "a|b`c<img src=x>@team\n::error::x\x1b[31m‮"


def plan(*changes: Change, **more: object) -> Plan:
    binding = Binding("production", "github.com/a/b", "schedules", "c0ffee" * 6 + "c0ff")
    return Plan("shop", binding, changes, Observed(), NOW, **more)  # type: ignore[arg-type]


def create(name: str, line: int = 3, template: Template | None = None) -> Create:
    return Create(
        name=name,
        after=SPEC,
        ledger=SPEC,
        fields=(FieldChange("task", None, "t"), FieldChange("timing", None, {"every": "1m"})),
        location=Location("s/a.yaml", line, 3),
        template=template,
        consequences=(Consequence("first_run", "first run at Mon 23 Nov 10:01 UTC", NOW),),
    )


def test_many_alike_are_one_in_text_and_markdown_and_all_in_json() -> None:
    other = replace(create("other", 9), fields=(FieldChange("task", None, "another"),))
    value = plan(
        *(create(f"sync-{n}", template=Template("sync-{tenant}", (("tenant", n),))) for n in range(9998)), other
    )

    assert "sync-{tenant}: 9,998 schedules" in text.plan(value)
    assert "`sync-{tenant}: 9,998 schedules`" in markdown.plan(value)
    assert len(text.plan(value).splitlines()) < 25
    assert len(json.loads(json_.plan(value))["changes"]) == 9999
    verbose, summary = text.plan(value, verbose=True), markdown.plan(value, markdown.SUMMARY)
    assert re.findall(r"sync-\d+", verbose) == [f"sync-{n}" for n in range(9998)]
    assert re.findall(r"`(sync-\d+)`", summary) == [f"sync-{n}" for n in range(9998)]


def test_a_plan_reads_from_top_to_bottom() -> None:
    before = Row(1, "a", SPEC)
    update = Update(
        name="a",
        cause="both",
        row=before,
        after=SPEC,
        fields=(
            FieldChange("queue", None, "x", "drift"),
            FieldChange("timing", {"every": "1m"}, {"crontab": "0 2 * * *", "timezone": "UTC"}),
        ),
        location=Location("s/a.yaml", 3, 3),
        consequences=(Consequence("fires_at_once", "fires at once, for a slot of the past"),),
    )
    refusal = Refusal("empty_set", "the files hold no schedule", "--allow-empty")
    value = plan(update, refusals=(refusal,), held=(Held("h", since=NOW, by=Edit("sam", NOW)),), unchanged=7)

    assert text.plan(value).splitlines() == [
        "Plan for shop in production at c0ffeec0ffee",
        "1 fires at once · 1 drifted    ~1 update  7 unchanged, 1 held",
        "",
        "REFUSED  an apply would write nothing",
        "  the files hold no schedule  empty_set",
        "  hint: --allow-empty",
        "",
        "FIRES AT ONCE",
        "~ a  [both]   s/a.yaml:3",
        "    queue   none → x  [drift]",
        "    timing  every 1m → daily 02:00   (0 2 * * *)",
        "    → fires at once, for a slot of the past",
        "",
        "HELD  disabled by a human, left alone; `schedsync resume NAME` releases",
        "! h: disabled by sam since Mon 23 Nov 10:00 UTC",
    ]


def test_the_json_of_a_plan_conforms_to_its_schema() -> None:
    paused = Paused("p", "why", "who", NOW)
    value = plan(
        create("a"),
        Delete(name="d", row=Row(2, "d", SPEC), by=Edit("sam", NOW)),
        held=(Held("h", since=NOW),),
        paused=(paused,),
        notices=(Finding("SS160", "done", Location("a", 1, 1), severity="warning"),),
        refusals=(Refusal("empty_set", "m", "o"),),
    )

    assert list(problems(json.loads(json_.plan(value)), PLAN)) == []


def hostile() -> Plan:
    change = Update(
        name=EVIL,
        row=Row(1, EVIL, SPEC),
        after=SPEC,
        fields=(FieldChange("description", EVIL, "[x](http://evil.example) <script>"),),
        location=Location("s/a.yaml", 1, 1),
        consequences=(Consequence("stops", f"stops {EVIL}"),),
        by=Edit("<b>@sam</b>", NOW),
    )
    return plan(change, held=(Held(EVIL, since=NOW),), paused=(Paused(EVIL, EVIL, EVIL, NOW),))


def test_what_comes_from_outside_can_break_no_markdown() -> None:
    for rendered in (markdown.plan(hostile()), markdown.drift(hostile())):
        html = MarkdownIt("commonmark", {"html": True}).enable("table").render(rendered)
        assert "<img" not in html
        assert "<script" not in html
        assert "<a " not in html
        outside_code = "".join(part.split("</code>")[-1] for part in html.split("<code>"))
        assert "@" not in outside_code
        assert "\x1b" not in html


def test_what_comes_from_outside_can_break_no_line_of_text() -> None:
    for rendered in (text.plan(hostile()), drift_text(hostile())):
        assert not any(line.startswith("::") for line in rendered.splitlines())
        assert "\x1b" not in rendered
        assert "‮" not in rendered


def test_findings_have_a_place_a_code_and_a_hint() -> None:
    found = [
        Finding("SS101", "broken", Location("a.yaml", 1, 2), "mend it"),
        Finding("SS312", "missing", severity="warning"),
    ]

    assert text.findings(found).splitlines() == [
        "a.yaml:1:2: error    SS101  broken",
        "  hint: mend it",
        "warning  SS312  missing",
    ]
    assert github.findings(found).splitlines() == [
        "::error title=SS101,file=a.yaml,line=1,col=2::broken%0Ahint: mend it",
        "::warning title=SS312::missing",
    ]


def test_colour_is_the_door_s_to_decide() -> None:
    painted = text.plan(plan(create("a")), lambda said, style: f"<{style}>{said}</>")

    assert "<bold>Plan for shop in production at c0ffeec0ffee</>" in painted
    assert "<green>+</> a  every 1m" in painted


def test_an_outcome_says_what_was_done_and_how_it_was_confirmed() -> None:
    done = Outcome((create("a"),), checksum="sha256:x", settled=6.0, repaired=("a",))

    assert outcome_text(done).splitlines() == [
        "Applied: 1 created",
        "Written back by somebody else and applied again: a",
        "Read back after 6 s: the tables hold it",
    ]
    loaded = replace(done, settled=0.0, repaired=(), loaded=("beat-0:1", "beat-1:2"))
    assert outcome_text(loaded).splitlines()[1:] == ["2 Beats have loaded it: beat-0:1, beat-1:2"]
    assert outcome_text(replace(loaded, behind=("beat-2:3",))).splitlines()[1:] == [
        "Read back: the tables hold it",
        "2 Beats have loaded it: beat-0:1, beat-1:2",
    ]
    assert outcome_text(replace(loaded, loaded=None)).splitlines()[1:] == ["Read back: the tables hold it"]
    assert outcome_text(Outcome()) == "Nothing to do, nothing was written"
    assert json.loads(json_.outcome(done, "shop", None))["verification"] == {
        "confirmed": True,
        "after_a_poll_of_beat": True,
        "repaired": ["a"],
        "unconfirmed": [],
        "loaded": None,
        "behind": [],
    }


def test_markdown_says_what_is_held_paused_refused_and_found() -> None:
    refusal = Refusal("empty_set", "the files hold no schedule", "--allow-empty")
    value = plan(
        Delete(
            name="d", row=Row(2, "d", SPEC), fields=(FieldChange("task", "t", None), FieldChange("queue", "q", None))
        ),
        create("c"),
        held=(Held("h"),),
        paused=(Paused("p", "why", "who", NOW, NOW),),
        refusals=(refusal,),
        notices=(Finding("SS160", "done", Location("a", 1, 1), severity="warning"),),
    )

    assert markdown.plan(value).splitlines() == [
        "### Plan for `set shop in production at c0ffeec0ffee`: **refused**; 1 created, 1 deleted",
        "",
        "**Refused:**",
        "",
        "- `the files hold no schedule`; hint: `--allow-empty`",
        "",
        "**Deleted, did not run**",
        "",
        "- `d` deleted",
        "  - task `t` · queue `q`",
        "",
        "1 to create, 1 to delete; 1 held, 1 paused",
        "",
        "**1 other change**",
        "",
        "- `c` created · `s/a.yaml:3`",
        "  - task `t` · timing `every 1m`",
        "  - first run at Mon 23 Nov 10:01 UTC",
        "",
        "**Held by a human, left alone:**",
        "",
        "- `h: disabled since the last apply`",
        "",
        "**Paused:**",
        "",
        "- `p: paused by who until Mon 23 Nov 10:00 UTC, its time is over: why`",
        "",
        f"- [SS160]({help_uri('SS160')}) warning: `done` · `a:1`",
        "",
        f"checksum `{value.checksum}`",
    ]
    assert markdown.drift(plan()) == "### Drift in `set shop in production at c0ffeec0ffee`\n\nnone\n"


def test_the_end_of_a_pause_is_told_to_the_second() -> None:
    def text_until(until: datetime) -> str:
        return paused_text(Pauses(Selector.of(["p"]), (Paused("p", "why", "who", NOW, until),)))

    assert "until Mon 23 Nov 10:00 UTC;" in text_until(NOW)
    assert "until Mon 23 Nov 10:00:05 UTC;" in text_until(NOW + timedelta(seconds=5))


def test_folding_takes_time_by_the_number_of_changes() -> None:
    """Four times as many changes may take at most eight times as long; quadratic growth is 16."""

    def seconds(count: int) -> float:
        values = [
            replace(
                create(f"sync-{n}", n, Template("sync-{t}", (("t", n),))),
                fields=(FieldChange("kwargs", {"t": f"{n}", "a": n % 7}, {"t": f"{n}", "a": n}),),
            )
            for n in range(count)
        ]
        began = time.process_time()
        text.plan(plan(*values), verbose=True)
        markdown.plan(plan(*values))
        return time.process_time() - began

    assert any(seconds(8000) < 8 * seconds(2000) for _ in range(3))


def test_drift_of_many_shows_the_value_of_none_as_that_of_all() -> None:
    spec = Spec("t", Interval(3_600_000_000))
    changes = tuple(
        Update(
            name=f"sync-{tenant}",
            row=Row(number, f"sync-{tenant}", spec),
            after=spec,
            template=Template("sync-{tenant}", (("tenant", tenant),)),
            fields=(FieldChange("queue", f"theirs-{tenant}", f"ours-{tenant}", "drift"),),
            cause="drift",
        )
        for number, tenant in enumerate(("acme", "bolt", "corp", "dyna"))
    )
    value = Plan(set="shop", binding=Binding(None), changes=changes, observed=Observed({}, {}), now=NOW)

    assert "queue   Git: ours-{tenant}   now: theirs-{tenant}" in drift_text(value)
    assert "`ours-{tenant}` became `theirs-{tenant}`" in markdown.drift(value)
    assert "theirs-acme" not in drift_text(value) + markdown.drift(value)


def test_a_cut_counts_each_schedule_once() -> None:
    """Every second of them stops: it is named in the open, and again among all names."""
    names = [f"a-quite-long-name-of-a-schedule-{number:05}" for number in range(2000)]
    spec, stops = Spec("t", Interval(3_600_000_000)), (Consequence("stops", "stops"),)
    changes = tuple(
        Update(
            name=name,
            row=Row(number, name, spec),
            after=spec,
            fields=(FieldChange("enabled", "true", "false", "files"),),
            consequences=stops if number % 2 else (),
        )
        for number, name in enumerate(names)
    )
    value = Plan(set="shop", binding=Binding(None), changes=changes, observed=Observed({}, {}), now=NOW)
    said, whole = (
        Counter(re.findall(r"a-quite[\w-]+", markdown.plan(value, one))) for one in (SHORT, markdown.SUMMARY)
    )
    cut = sum(said[name] < whole[name] for name in names)

    assert sum(whole.values()) == 3000
    assert 0 < cut <= 2000
    assert f"**{cut:,} schedules are left out here" in markdown.plan(value, SHORT)
