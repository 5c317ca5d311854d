"""What an apply may do with a saved plan, and where it needs one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from schedsync.core.names import first_names
from schedsync.errors import Stale
from schedsync.planning.approval import Assertion, compare
from schedsync.planning.plan import Plan
from schedsync.usecases.required_plan import plan_required


def asserted(plan: Plan, assertion: Assertion, note: Callable[[str], None]) -> Plan:
    """Return the plan with a refusal for each change that the saved plan does not hold.

    Raises Stale where it must be exactly the saved plan, and is not.
    """
    saved = assertion.saved
    if saved is None:
        required = plan_required(plan.binding.environment)
        return replace(plan, refusals=(*plan.refusals, *required)) if required else plan
    comparison = compare(plan, saved)
    if assertion.exact and comparison.unequal and not plan.refusals:
        names = first_names(comparison.unequal, 5)
        raise Stale(f"the files and the tables need other changes now: {names}")
    if comparison.masks:
        values = "masked value was" if comparison.masks == 1 else "masked values were"
        note(f"{comparison.masks:,} {values} not compared")
    return replace(plan, refusals=(*plan.refusals, *comparison.refusals)) if comparison.refusals else plan
