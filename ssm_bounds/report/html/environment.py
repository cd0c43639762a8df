"""What the pages share: how templates are read, the style sheet and the document that go into each."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def rendered(
    template: str, data: Any, *, command: str | None, filters: Mapping[str, Callable[..., Any]] = {}, **shown: Any
) -> str:
    """A page as text: ``template`` with what it shows, around ``data``, the document of ``--format json``."""
    templates = _environment()
    templates.filters |= filters
    text = templates.get_template(template).render(
        data=data,
        failed=data["failed"],
        encoded=base64.b64encode((json.dumps(data, indent=2, allow_nan=False) + "\n").encode()).decode(),
        command=command,
        version=version("ssm-bounds"),
        style=Markup(files("ssm_bounds.report.html").joinpath("style.css").read_text(encoding="utf-8")),
        **shown,
    )
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # a file name need not be valid Unicode


def _environment() -> Environment:
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
