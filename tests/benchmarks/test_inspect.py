"""Seconds and memory of ``ssm-bounds inspect`` on random weights of the shapes of mamba-130m, against reading alone,
and of mamba-2.8b, one layer of 64; CPU seconds, as other programs may share the cores."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import safetensors.numpy

LAYERS, D, d, N, R, k = 24, 768, 1536, 16, 48, 4
SHAPES = {
    "norm.weight": (D,), "mixer.in_proj.weight": (2 * d, D), "mixer.conv1d.weight": (d, 1, k),
    "mixer.conv1d.bias": (d,), "mixer.x_proj.weight": (R + 2 * N, d), "mixer.dt_proj.weight": (d, R),
    "mixer.dt_proj.bias": (d,),
    "mixer.A_log": (d, N), "mixer.D": (d,), "mixer.out_proj.weight": (D, d),
}  # fmt: skip
MEASURED = """
import resource, sys, time
started = time.process_time()
{work}
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(f"{{time.process_time() - started:.1f}} {{used:.2f}}")
"""
READ = "from ssm_bounds.models.files.mamba import open_model\nfor layer in open_model(sys.argv[1]).layers: pass"
INSPECT = "from ssm_bounds import inspect\nassert len(inspect(sys.argv[1], T=2048).layers) == 24"


def written(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    tensors = {
        f"backbone.layers.{i}.{name}": (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float16)
        for i in range(LAYERS)
        for name, shape in SHAPES.items()
    }
    tensors["backbone.embeddings.weight"] = np.zeros((8, D), np.float16)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    config = {"model_type": "mamba", "hidden_size": D, "state_size": N, "num_hidden_layers": LAYERS, "vocab_size": 8}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def measured(work: str, path: Path) -> tuple[float, float]:
    """CPU seconds, and the largest memory in GiB."""
    code = MEASURED.format(work=work)
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def test_a_model_of_130_million(tmp_path):
    path = written(tmp_path)
    read, inspected = measured(READ, path), measured(INSPECT, path)
    print(
        f"\n24 layers of d_model 768: read in {read[0]:.1f} s and {read[1]:.2f} GiB, inspected in {inspected[0]:.1f} s "
        f"and {inspected[1]:.2f} GiB: ratio {inspected[0] / read[0]:.0f}"
    )


LAYER = """from tests.mamba import mamba1
from ssm_bounds.inspection import inspect_layer
layer = mamba1(0, D=2560, N=16, R=160)
started = time.process_time()
inspect_layer(layer, T=2048, eta=0.05)"""


def test_a_layer_of_2_8_billion(tmp_path):
    seconds, memory = measured(LAYER, tmp_path)
    print(
        f"\none layer of d_model 2560: {seconds:.1f} CPU s and {memory:.2f} GiB; 64 of them {seconds * 64 / 60:.0f} min"
    )
