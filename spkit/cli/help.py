"""Help on one screen: the common options first, the others below in sections of their own.

typer's own sections need rich, whose import takes as long as all else, and whose boxes take twice the lines.
"""

import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

#: Sections of options that several commands have.
LOADING, SEVERAL, MEASURED = "How models are loaded", "Several tasks", "How it is measured"

#: Sections of the commands; those without one come first.
START, STEPS, MEASURES, STUDIES = "Start here", "Step by step", "Measure what matters", "Whole studies"

#: Bounds that no one needs to read, and names of types that say less than the help beside them.
_BOUNDS = re.compile(r"(; )?(\d+<=)?x<=(1000000000|1000000|100000|4294967295)")
_TYPES = ((" range>", ">"), ("<list[", "<"), ("]>", ">"))


class Command(TyperCommand):
    """A command whose help has a section for each `rich_help_panel` of its options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections: arguments, the options without a section, then the other sections in order."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for one in self.get_params(ctx):
            record = one.get_help_record(ctx)
            if record is not None and one.name != "help":  # whoever reads this has asked for it already
                usual = "Arguments" if one.param_type_name == "argument" else "Options"
                section = getattr(one, "rich_help_panel", None) or usual
                sections.setdefault(section, []).append((_type(record[0]), _bounds(record[1])))
        _write(sections, formatter)


class Group(TyperGroup):
    """All commands, in a section for each `rich_help_panel`."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections of commands, and the options of the command line itself."""
        sections: dict[str, list[tuple[str, str]]] = {START: [], STEPS: [], MEASURES: [], STUDIES: []}
        room = formatter.width - 6 - max(map(len, self.list_commands(ctx)))
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            assert command is not None
            section = getattr(command, "rich_help_panel", None) or START
            sections.setdefault(section, []).append((name, command.get_short_help_str(room)))
        records = [one.get_help_record(ctx) for one in self.get_params(ctx)]
        sections["Options"] = [record for record in records if record is not None]
        _write(sections, formatter)


class App(typer.Typer):
    """A typer application whose commands are written out in this way."""

    def command(self, name: str | None = None, *, cls: type[TyperCommand] | None = Command, **settings: Any) -> Any:
        """As typer's, with our help."""
        return super().command(name, cls=cls, **settings)


def _write(sections: dict[str, list[tuple[str, str]]], formatter: Any) -> None:
    """All sections in the same two columns."""
    names = [name for records in sections.values() for name, _ in records]
    width = max((len(name) for name in names if len(name) <= _WIDEST), default=0)
    for section, records in sections.items():
        if records:
            with formatter.section(typer.style(section, bold=True)):
                formatter.write_dl([(name.ljust(width), said) for name, said in records], col_max=width)


#: Characters of a name and its type; a longer one has a line of its own.
_WIDEST = 29


def _type(name: str) -> str:
    for theirs, ours in _TYPES:
        name = name.replace(theirs, ours)
    return name


def _bounds(said: str) -> str:
    """A help without bounds that only keep out nonsense.

    Example:
        >>> _bounds("Seed.  [default: 0; 0<=x<=4294967295]"), _bounds("Examples.  [1<=x<=1000000000]")
        ('Seed.  [default: 0]', 'Examples.')
    """
    return _BOUNDS.sub("", said).replace("  []", "").replace("[; ", "[")
