"""What ``--help`` prints: the text, then examples, then the options under their headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click

from schedsync.commands.examples import EXAMPLES

#: The headings of the options, in their order.
GENERAL = "Options"
WHERE = "Where"
LIFT = "Lift a rule for this call"
OUTPUT = "Output"
_HEADINGS = (GENERAL, WHERE, OUTPUT, LIFT)
#: A word of a command line, or an option and the word after it.
_WORDS = re.compile(r"(?:--?[a-z-]+ (?!-))?(?:'[^']*'|\S+)")


class Option(click.Option):
    """An option that ``--help`` lists under a heading."""

    def __init__(self, *names: Any, heading: str = GENERAL, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.heading = heading

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and its text, with the default as a sentence."""
        record = super().get_help_record(ctx)
        if record is None or not record[1].endswith("]"):
            return record
        text, _, extra = record[1][:-1].rpartition("  [")
        if extra == "required":
            return record[0], f"{text} Required."
        return (record[0], f"{text} Default: {extra[9:]}.") if extra.startswith("default: ") else record


class Verb(click.Command):
    """A command whose ``--help`` has examples, and lists the options under their headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, then the options: one section for each heading."""
        write_examples(ctx, formatter)
        for heading in _HEADINGS:
            options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
            here = [option for option in options if getattr(option, "heading", GENERAL) == heading]
            records = [record for option in here if (record := option.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


class VerbGroup(click.Group):
    """A group of verbs whose ``--help`` has examples, and lists the verbs in the order in which they were added."""

    heading = "Verbs"

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the verbs."""
        return list(self.commands)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs, the examples, and the options."""
        with formatter.section(self.heading):
            formatter.write_dl([(name, str(command.short_help)) for name, command in self.commands.items()])
        write_examples(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)


def write_examples(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the examples of a verb: each command line, and below it what it is for."""
    program = ctx.find_root().command_path
    verb = ctx.command_path[len(program) :].strip()
    examples = EXAMPLES.get(verb, ())
    if not examples:
        return
    with formatter.section("Examples"):
        indent = " " * formatter.current_indent
        for line, purpose in examples:
            whole = line if line.startswith("git ") else f"{program} {line}"
            for part in _command_lines(whole, formatter.width - len(indent)):
                formatter.write(f"{indent}{part}\n")
            formatter.indent()
            formatter.write_text(purpose)
            formatter.dedent()


def _command_lines(line: str, width: int) -> Iterator[str]:
    """Yield the lines of a command that is broken as a shell reads it: with a backslash at the end of a line."""
    current = ""
    for word in _WORDS.findall(line):
        if current and len(current) + len(word) + 3 > width:
            yield f"{current} \\"
            current = f"    {word}"
        else:
            current = f"{current} {word}" if current else word
    yield current
