"""A plan as Markdown says what somebody else changed, and what is broken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from schedsync.core.change import Create, Edit, FieldChange, Update
from schedsync.core.observed import Observed, Problem, Row
from schedsync.core.origin import Binding
from schedsync.core.schedule import Spec
from schedsync.core.timing import Interval
from schedsync.planning.plan import Plan
from schedsync.render.comment import markdown
from tests.conftest import NOW

SPEC = Spec("t", Interval(60_000_000), queue="q")
ROW = Row(1, "a", replace(SPEC, queue="edited"))
UPDATE = Update(name="a", row=ROW, after=SPEC, fields=(FieldChange("queue", "edited", "q", "drift"),), cause="drift")


def plan_of(change: Update | Create) -> str:
    return markdown.plan(Plan("shop", Binding(), (change,), Observed(), NOW))


def test_a_plan_says_which_change_undoes_an_edit_and_whose() -> None:
    said = plan_of(replace(UPDATE, by=Edit("jo", NOW - timedelta(hours=1))))

    assert "- `a` updated · undoes an edit `by jo at " in said
    assert "1 to update; 1 drifted" in said
    assert "drift" not in plan_of(replace(UPDATE, cause="files", fields=(FieldChange("queue", "edited", "q"),)))


def test_a_row_that_is_gone_is_drift_too() -> None:
    said = plan_of(Create(name="a", after=SPEC, cause="drift", fields=(FieldChange("task", None, "t", "drift"),)))

    assert "- `a` created · undoes an edit `by an unknown user (nothing in Django's admin log)`\n" in said


def test_of_fields_that_both_changed_each_says_who_did() -> None:
    fields = (
        FieldChange("queue", "edited", "q", "drift"),
        FieldChange("task", "old", "t"),
        FieldChange("priority", 3, 4, "both"),
    )
    said = plan_of(replace(UPDATE, cause="both", fields=fields))

    assert "- `a` updated · also undoes an edit `by " in said
    assert "  - queue `edited` → `q` (edited in the row)\n" in said
    assert "  - task `old` → `t`\n" in said
    assert "  - priority `3` → `4` (edited in the row, and changed in the files)\n" in said


def test_a_broken_row_says_what_is_wrong_and_no_value() -> None:
    broken = Row(1, "a", None, problems=(Problem("SS320", "a crontab with the minute `61`"),))
    fields = (FieldChange("task", None, "t", "drift"), FieldChange("queue", None, "q", "drift"))
    said = plan_of(replace(UPDATE, row=broken, fields=fields))

    assert "  - the row is broken: `` a crontab with the minute `61` ``\n" in said
    assert "  - task `t` · queue `q`\n" in said
    assert "none" not in said
