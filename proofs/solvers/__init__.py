"""Who decides a step: sympy, z3, interval branch and bound, rules of calculus; axioms and assumptions are named.

Trouble (a time-out, an expression a solver does not know) resolves to "not decided", never to "holds".
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import sympy
import z3
from sympy.core.function import AppliedUndef
from sympy.logic.boolalg import Boolean

from ssm_bounds.bounds.evaluate.balls import range_over
from ssm_bounds.bounds.values import Scalar
from ssm_bounds.proofs.statement import Outcome
