"""The page of the table of architectures at equal constants: table, figure and notes; no script, no network."""

from __future__ import annotations

from collections.abc import Sequence

from ssm_bounds.comparison import READ, STANDING, Comparison
from ssm_bounds.report.comparison import conditions, document, table
from ssm_bounds.report.html.environment import rendered
from ssm_bounds.report.html.figures import inline
from ssm_bounds.report.plots.comparison import against_length


def page(found: Comparison, failed: Sequence[tuple[str, str]] = (), *, command: str | None = None) -> str:
    """The whole page as text; ``failed``: path and error of the files without a row, ``command``: what to type to get
    it again. The same input gives the same text.
    """
    label = "Bounds of the gap against T, one line a row; the numbers are those of the table"
    return rendered(
        "comparison.html",
        document(found, failed),
        command=command,
        found=found,
        table=table(found),
        figure=inline(against_length(found), "figure", label) if len(found.lengths) > 1 else None,
        conditions=list(conditions(found)),
        standing=STANDING,
        may_read=READ,
        not_read=found.not_read,
    )
