"""``python -m ssm_bounds``: the command."""

from ssm_bounds.cli import main

main(prog_name="ssm-bounds")
