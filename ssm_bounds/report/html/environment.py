"""What the pages share: how templates are read, and the style sheet that goes into each."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def environment() -> Environment:
    """Everything is escaped, and a name that a template lacks is an error."""
    found = Environment(
        loader=PackageLoader("ssm_bounds.report.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.policies["json.dumps_kwargs"] = {"allow_nan": False}
    return found


def style() -> Markup:
    return Markup(files("ssm_bounds.report.html").joinpath("style.css").read_text(encoding="utf-8"))
