"""Small random state dicts under the names of each family, and the files that hold them."""

from __future__ import annotations

import json

import numpy as np
import safetensors.numpy

D, d, N, R, k, H, G = 4, 6, 2, 3, 4, 2, 2


def random(shapes, seed=0):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def mixer1(prefix):
    shapes = {
        "A_log": (d, N),
        "D": (d,),
        "conv1d.bias": (d,),
        "conv1d.weight": (d, 1, k),
        "dt_proj.bias": (d,),
        "dt_proj.weight": (d, R),
        "in_proj.weight": (2 * d, D),
        "out_proj.weight": (D, d),
        "x_proj.weight": (R + 2 * N, d),
    }
    return {prefix + name: shape for name, shape in shapes.items()}


def mixer2(prefix):
    channels = d + 2 * G * N
    shapes = {
        "A_log": (H,),
        "D": (H,),
        "dt_bias": (H,),
        "conv1d.bias": (channels,),
        "conv1d.weight": (channels, 1, k),
        "in_proj.weight": (d + channels + H, D),
        "norm.weight": (d,),
        "out_proj.weight": (D, d),
    }
    return {prefix + name: shape for name, shape in shapes.items()}


def stack(mixer, block="backbone.layers.{}.", inside="mixer.", norm="norm", more=(), layers=2):
    """``more``: names beside each mixer. Shapes by name."""
    shapes = {}
    for i in range(layers):
        shapes |= mixer(block.format(i) + inside) | {f"{block.format(i)}{norm}.weight": (D,)}
        shapes |= {block.format(i) + name: shape for name, shape in more}
    return shapes


INNER = [("mamba.dt_layernorm.weight", (R,)), ("mamba.b_layernorm.weight", (N,)), ("mamba.c_layernorm.weight", (N,))]
PY_INNER = [("mixer.dt_layernorm.weight", (R,)), ("mixer.B_layernorm.weight", (N,)), ("mixer.C_layernorm.weight", (N,))]
SECOND = [
    ("mixer.A_b_log", (d, N)),
    ("mixer.D_b", (d,)),
    ("mixer.conv1d_b.weight", (d, 1, k)),
    ("mixer.conv1d_b.bias", (d,)),
    ("mixer.x_proj_b.weight", (R + 2 * N, d)),
    ("mixer.dt_proj_b.weight", (d, R)),
    ("mixer.dt_proj_b.bias", (d,)),
]
MODEL = "model.layers.{}."
EMBEDDING, EMBEDDINGS = {"backbone.embedding.weight": (5, D)}, {"backbone.embeddings.weight": (5, D)}
GROUPED = {"mamba_n_groups": G, "mamba_d_state": N}
ATTENTION = {f"model.layers.2.{name}.weight": (D, D) for name in ("self_attn.q_proj", "feed_forward.up_proj")}

FAMILIES = {
    "mamba": (stack(mixer1) | EMBEDDINGS, {"model_type": "mamba", "layer_norm_epsilon": 1e-5}),
    "falcon_mamba": (
        stack(mixer1) | EMBEDDINGS,
        {"model_type": "falcon_mamba", "layer_norm_epsilon": 1e-5, "mixer_rms_eps": 1e-6},
    ),
    "mamba2": (
        stack(mixer2) | EMBEDDINGS,
        {"model_type": "mamba2", "layer_norm_epsilon": 1e-5, "n_groups": G, "state_size": N, "time_step_limit": [0, 9]},
    ),
    "mamba_ssm": (stack(mixer1) | EMBEDDING, {"d_model": D, "n_layer": 2, "ssm_cfg": {}, "rms_norm": True}),
    "mamba_ssm, 2": (
        stack(mixer2) | EMBEDDING,
        {"d_model": D, "n_layer": 2, "ssm_cfg": {"layer": "Mamba2", "d_state": N, "ngroups": G}, "rms_norm": True},
    ),
    "jamba": (
        stack(mixer1, MODEL, "mamba.", "input_layernorm", INNER) | ATTENTION,
        {"model_type": "jamba", "rms_norm_eps": 1e-6},
    ),
    "bamba": (
        stack(mixer2, MODEL, "mamba.", "input_layernorm") | ATTENTION,
        {"model_type": "bamba", "rms_norm_eps": 1e-6, "time_step_limit": [0, {"__float__": "Infinity"}]} | GROUPED,
    ),
    "zamba2": (
        stack(mixer2, "model.layers.{}.mamba_decoder.", "mamba.", "input_layernorm"),
        {"model_type": "zamba2", "rms_norm_eps": 1e-6, "time_step_min": 0.1, "mamba_ngroups": G, "mamba_d_state": N},
    ),
    "nemotron_h": (
        stack(mixer2) | EMBEDDINGS | {"backbone.layers.2.mixer.q_proj.weight": (D, D)},
        {"model_type": "nemotron_h", "layer_norm_epsilon": 1e-5, "n_groups": G, "ssm_state_size": N}
        | {"time_step_min": 0.1, "time_step_limit": [0, 1]},
    ),
    "granitemoehybrid": (
        stack(mixer2, MODEL, "mamba.", "input_layernorm", [("shared_mlp.input_linear.weight", (2, D))]),
        {"model_type": "granitemoehybrid", "rms_norm_eps": 1e-6, "time_step_limit": [0, 1], "residual_multiplier": 0.5}
        | GROUPED,
    ),
    "falcon_h1": (
        stack(mixer2, MODEL, "mamba.", "input_layernorm", [("self_attn.q_proj.weight", (D, D))]),
        {"model_type": "falcon_h1", "rms_norm_eps": 1e-6, "time_step_limit": [0, 1], "mamba_rms_norm": True}
        | {"mamba_norm_before_gate": True, "ssm_in_multiplier": 1, "ssm_out_multiplier": 2, "ssm_multipliers": [1] * 5}
        | GROUPED,
    ),
    "mambapy": (stack(mixer1, "mamba.layers.{}.") | {"embedding.weight": (5, D)}, None),
    "mambapy, normed": (stack(mixer1, "layers.{}.", more=PY_INNER), None),
    "mamba_minimal": (stack(mixer1, "layers.{}.") | {"embedding.weight": (5, D)}, None),
    "vision_mamba": (stack(mixer1, "layers.{}.", more=SECOND), None),
}
"""Family (before the comma) to the shapes of its tensors and its config."""


def save(folder, tensors, config=None):
    """A folder as transformers leaves it."""
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(safetensors.numpy.save(tensors))
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def shard(folder, tensors, index=None):
    """Two shards and their index; ``index``: what to write into it instead."""
    folder.mkdir(exist_ok=True)
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for part, mine in parts.items():
        (folder / part).write_bytes(safetensors.numpy.save({name: tensors[name] for name in mine}))
    weight_map = {name: part for part, mine in parts.items() for name in mine}
    text = json.dumps({"weight_map": weight_map} if index is None else index(weight_map))
    (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")
    return folder
