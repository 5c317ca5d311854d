"""``schedsync rules``: list the rules, or explain one."""

from __future__ import annotations

import click

from schedsync.commands.options import format_option, verb
from schedsync.commands.output import show
from schedsync.core.finding import did_you_mean
from schedsync.errors import WrongUsage
from schedsync.lint import all_rules, explained
from schedsync.lint.packages import package_rules
from schedsync.lint.rule import Rule
from schedsync.render import json_


@verb("List the rules, or explain one.")
@click.argument("code", required=False)
@format_option("json")
def rules(code: str | None, format_: str) -> int:
    """List the rules that `validate` and `review` check, or explain the rule CODE with examples.

    `[lint]` in schedsync.toml selects rules and sets their severities; the comment `# schedsync: ignore[SS206]` on a
    line switches a rule off for that line.
    """
    known, problems = all_rules(), package_rules().problems
    for problem in problems:
        click.echo(f"{problem.severity}: {problem.message}", err=True)
    if code is not None and code.upper() not in known:
        raise WrongUsage(f"no rule `{code}`", hint=did_you_mean(code.upper(), known) or "`schedsync rules` lists them")
    chosen = list(known.values()) if code is None else [known[code.upper()]]
    if format_ == "json":
        click.echo(json_.rules(chosen))
    elif code is not None:
        show(lambda _paint: "\n".join(explained(chosen[0])))
    else:
        show(lambda _paint: "\n".join(map(_line, chosen)))
    return int(bool(problems))


def _line(rule: Rule) -> str:
    state = "off" if rule.opt_in else rule.severity
    package = f" ({rule.package})" if rule.package else ""
    return f"{rule.code}  {state:<7}  {rule.name:<24}  {rule.summary}{package}"
