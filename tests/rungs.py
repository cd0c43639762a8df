"""The bounds of the ladder as functions of a setting."""

from ssm_bounds.bounds.ladder.chained import repaired, sharp
from ssm_bounds.bounds.ladder.holdout import holdout
from ssm_bounds.bounds.ladder.margin import margin, margin_groups, margin_risk
from ssm_bounds.bounds.ladder.of_class import margin_radius
from ssm_bounds.bounds.ladder.posterior import pac_bayes
from ssm_bounds.bounds.ladder.published import published
from ssm_bounds.bounds.ladder.scale import scale, scale_groups

SELECTED = (scale, margin, scale_groups, margin_groups)
"""Those of a class of norms, with section 7 paid."""

__all__ = [
    "SELECTED",
    "holdout",
    "margin",
    "margin_groups",
    "margin_radius",
    "margin_risk",
    "pac_bayes",
    "published",
    "repaired",
    "scale",
    "scale_groups",
    "sharp",
]
