"""One list per interface: every conformance test is parametrised over it. Templates of the recipes are in each."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from ssm_bounds.bounds.architectures import attention
from ssm_bounds.bounds.architectures.lti.real import DIAGONAL
from ssm_bounds.bounds.architectures.lti.table import S4D
from ssm_bounds.bounds.architectures.rnn import RNN
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.architectures.stack import stack
from ssm_bounds.bounds.codes.symbols import ALPHABETS, WORD_ALPHABET
from ssm_bounds.bounds.ladder import registry
from ssm_bounds.models.files import checkpoint
from ssm_bounds.proofs import check
from tests.conftest import ROOT

TEMPLATES = ROOT / "docs" / "templates"


def template(name: str) -> ModuleType:
    """The module of a template, which belongs to no package."""
    spec = spec_from_file_location(f"template_{name}", TEMPLATES / f"{name}.py")
    module = module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look up their module
    spec.loader.exec_module(module)
    return module


LINEAR = template("architecture").ARCHITECTURE
ARCHITECTURES = (
    SELECTIVE_SSM,
    S4D,
    DIAGONAL,
    RNN,
    attention.SOFTMAX,
    attention.LINEAR,
    LINEAR,
    stack([LINEAR, LINEAR]),
)
BOUNDS = (*registry.BOUNDS, template("bound").BOUND)
CODES = (*(code for codes in ALPHABETS.values() for code in codes), *WORD_ALPHABET[2::3], template("code").CODE)
FORMATS = (*checkpoint.FORMATS, template("format").FORMAT)
STATEMENTS = (*check.statements().values(), template("statement").STATEMENT)
