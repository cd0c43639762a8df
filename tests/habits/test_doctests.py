"""The examples in docstrings, module by module under the one import name."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import ssm_bounds
import ssm_bounds.bounds
import ssm_bounds.models
import ssm_bounds.proofs

PACKAGES = (ssm_bounds, ssm_bounds.bounds, ssm_bounds.models, ssm_bounds.proofs)
MODULES = sorted(
    {module.name for package in PACKAGES for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")}
    - {"ssm_bounds.__main__"}
)


@pytest.mark.parametrize("name", ["ssm_bounds", *MODULES])
def test_examples_give_what_they_say(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert not found.failed
