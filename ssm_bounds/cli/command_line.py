"""What was typed, to be printed in a page."""

from __future__ import annotations

import shlex
from typing import Any

import click


def command_line(context: click.Context) -> str:
    """What was typed, with the options by their long names; numbers are written as the fractions that they are."""
    options, paths = list[str](), list[str]()
    for parameter in context.command.params:
        value: Any = context.params.get(parameter.name or "")
        if context.get_parameter_source(parameter.name or "") is not click.core.ParameterSource.COMMANDLINE:
            continue
        if isinstance(parameter, click.Argument):
            paths = [str(path) for path in value]
        elif value is True:
            options.append(parameter.opts[0])
        elif isinstance(value, tuple):
            options += [part for each in value for part in (parameter.opts[0], str(each))]
        else:
            options += [parameter.opts[0], str(value)]
    dashed = any(path.startswith("-") for path in paths)
    return shlex.join(
        ["ssm-bounds", context.command.name or "", *([*options, "--", *paths] if dashed else [*paths, *options])]
    )
