"""``schedsync rules``: list the rules, or explain one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import click

from schedsync.commands.options import format_option, verb
from schedsync.commands.output import paint, say, show
from schedsync.commands.terminal import columns, is_terminal
from schedsync.core.finding import CODES, did_you_mean
from schedsync.errors import WrongUsage
from schedsync.lint import all_rules, explained
from schedsync.lint.packages import package_rules
from schedsync.lint.rule import Rule
from schedsync.render.programs import json_
from schedsync.render.terminal import rules as text
from schedsync.render.terminal.findings import findings
from schedsync.render.terminal.paint import Paint


@verb("List the rules, or explain one.")
@click.argument("code", required=False)
@format_option("json", "markdown")
def rules(code: str | None, format_: str) -> int:
    """List the rules that `validate` and `review` check, or explain the rule CODE with examples.

    Of a finding that is no rule it says what the CODE means.

    `[lint]` in schedsync.toml turns rules on and off, and sets their severities. To turn a rule off for one line, end
    the line with the comment `# schedsync: ignore[SS206]`.
    """
    known, problems = all_rules(), package_rules().problems
    if problems:
        say(findings(problems, paint(sys.stderr)))
    if code is not None and format_ == "text" and code.upper() in CODES.keys() - known.keys():
        click.echo(text.finding(code.upper(), CODES[code.upper()]))
        return int(bool(problems))
    if code is not None and code.upper() not in known:
        raise WrongUsage(f"no rule `{code}`", hint=did_you_mean(code.upper(), known) or "`schedsync rules` lists them")
    chosen = list(known.values()) if code is None else [known[code.upper()]]
    if format_ == "json":
        click.echo(json_.rules(chosen))
    elif format_ == "markdown":
        click.echo("\n\n".join("\n".join(explained(rule)) for rule in chosen))
    else:
        show(_text(chosen, is_list=code is None))
    return int(bool(problems))


def _text(chosen: Sequence[Rule], *, is_list: bool) -> Callable[[Paint], str]:
    width = columns(sys.stdout) if is_terminal(sys.stdout) else None
    if is_list:
        return lambda paint: text.rules(chosen, paint, width)
    return lambda paint: text.rule(chosen[0], paint, width)
