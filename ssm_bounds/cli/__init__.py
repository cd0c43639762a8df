"""The command ``ssm-bounds``. Stands on top of bounds, models and proofs and imports them when a command runs."""

from __future__ import annotations

import click

from ssm_bounds.cli.certify import certify
from ssm_bounds.cli.compare import compare
from ssm_bounds.cli.experiment import experiment
from ssm_bounds.cli.explain import explain
from ssm_bounds.cli.growth import growth
from ssm_bounds.cli.inspect import inspect
from ssm_bounds.cli.measure import measure
from ssm_bounds.cli.order import order
from ssm_bounds.cli.sweep import sweep
from ssm_bounds.cli.train import train
from ssm_bounds.cli.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="ssm-bounds", prog_name="ssm-bounds")
def main() -> None:
    """Generalization certificates for trained selective state-space models.

    \b
    Examples:
      ssm-bounds train majority --m 20000 --T 50 --out model.safetensors
      ssm-bounds certify model.safetensors
      ssm-bounds certify model.pth --m 25000 --T 500 --format json
      ssm-bounds inspect mamba-130m-hf/ --T 2048
    """


for command in (certify, compare, experiment, explain, growth, inspect, measure, order, sweep, train, verify):
    main.add_command(command)
