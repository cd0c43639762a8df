"""Every family that transformers has: a random small model is written to a folder, read by us, and run by both."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
import torch

from ssm_bounds.models.files.formats.blocks import Facts
from ssm_bounds.models.files.mamba import open_model
from ssm_bounds.models.mamba.forward import block, mixer
from tests.models.files.formats.models import FAMILIES as SHAPES
from tests.models.files.formats.models import random, save

transformers = pytest.importorskip("transformers", reason="the extra [test] brings transformers", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("ignore")  # those of transformers while it is imported

SMALL = {"vocab_size": 24, "hidden_size": 16}
ATTENTION = {"num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 24}
HEADS = {"mamba_n_heads": 4, "mamba_d_state": 4, "mamba_n_groups": 2, "mamba_chunk_size": 4}
H1 = {"mamba_d_ssm": 32, "mamba_proj_bias": True, "projectors_bias": True, "num_hidden_layers": 2} | HEADS
MULTIPLIERS = {
    "embedding_multiplier": 0.6,
    "ssm_in_multiplier": 0.7,
    "ssm_out_multiplier": 1.3,
    "ssm_multipliers": [0.5, 1.5, 0.8, 1.2, 0.9],
    "time_step_limit": [0.4, 1.5],
}
FAMILIES = {
    "mamba": ("Mamba", {"state_size": 4, "num_hidden_layers": 2, "use_bias": True, "time_step_rank": 3}),
    "mamba, no biases": ("Mamba", {"state_size": 4, "num_hidden_layers": 1, "use_conv_bias": False, "conv_kernel": 3}),
    "falcon_mamba": ("FalconMamba", {"state_size": 4, "num_hidden_layers": 2, "mixer_rms_eps": 0.03}),
    "mamba2": (
        "Mamba2",
        {"state_size": 4, "num_hidden_layers": 2, "num_heads": 4, "head_dim": 8, "n_groups": 2, "chunk_size": 4}
        | {"use_bias": True, "time_step_limit": (0.3, 1.2), "layer_norm_epsilon": 0.02},
    ),
    "jamba": (
        "Jamba",
        {"num_hidden_layers": 4, "attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 1, "mamba_d_state": 4}
        | {"mamba_dt_rank": 3, "mamba_proj_bias": True, "rms_norm_eps": 0.02}
        | ATTENTION,
    ),
    "bamba": (
        "Bamba",
        {"num_hidden_layers": 3, "attn_layer_indices": [1], "time_step_limit": (0.3, 1.2)} | ATTENTION | HEADS,
    ),
    "zamba2": (
        "Zamba2",
        {"num_attention_heads": 2, "num_hidden_layers": 3, "n_mamba_heads": 4, "mamba_d_state": 4, "mamba_ngroups": 2}
        | {"layers_block_type": ["linear_attention", "hybrid", "linear_attention"], "chunk_size": 4}
        | {"time_step_min": 0.7, "add_bias_linear": True, "intermediate_size": 24, "rms_norm_eps": 0.02},
    ),
    "nemotron_h": (
        "NemotronH",
        {"head_dim": 8, "layers_block_type": ["linear_attention", "full_attention", "mlp", "linear_attention"]}
        | {"mamba_num_heads": 4, "mamba_head_dim": 8, "ssm_state_size": 4, "n_groups": 2, "chunk_size": 4}
        | {"time_step_min": 0.7, "time_step_limit": (0.0, 0.9), "use_bias": True}
        | ATTENTION,
    ),
    "granite": (
        "GraniteMoeHybrid",
        {"num_hidden_layers": 3, "layer_types": ["linear_attention", "full_attention", "linear_attention"]}
        | {
            "residual_multiplier": 0.3,
            "embedding_multiplier": 3.0,
            "num_local_experts": 0,
            "shared_intermediate_size": 8,
        }
        | ATTENTION
        | HEADS,
    ),
    "falcon_h1": ("FalconH1", ATTENTION | H1 | MULTIPLIERS),
    "falcon_h1, norm": ("FalconH1", ATTENTION | H1 | MULTIPLIERS | {"mamba_rms_norm": True}),
    "falcon_h1, norm after": (
        "FalconH1",
        ATTENTION | H1 | MULTIPLIERS | {"mamba_rms_norm": True, "mamba_norm_before_gate": False},
    ),
}
TIED = 1e-6
"""Transformers norms in float32 whatever the model is in: about 1e-7 of the largest number."""


@pytest.fixture(autouse=True)
def quiet(caplog):
    with caplog.at_level(logging.ERROR):
        yield


@pytest.fixture(scope="module", params=FAMILIES)
def saved(request, tmp_path_factory):
    """A random model in float64 whose weights are float32 numbers, the folder it was saved to, its family."""
    name, sizes = FAMILIES[request.param]
    torch.manual_seed(len(request.param))
    config = getattr(transformers, f"{name}Config")(**(SMALL | sizes))
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    return model.double(), folder, request.param.split(",")[0]


def seen(model, tokens, mask):
    """What enters each block's norm and what its mixer gives, in the order of the layers."""
    mixers = [(name, part) for name, part in model.named_modules() if hasattr(part, "A_log")]
    found, hooks = {name: [] for name, _ in mixers}, []
    for name, part in mixers:
        parent = model.get_submodule(name.rsplit(".", 1)[0])
        norm = parent.norm if hasattr(parent, "norm") else parent.input_layernorm
        hooks.append(norm.register_forward_hook(lambda _, args, out, name=name: found[name].append(args[0])))
        hooks.append(part.register_forward_hook(lambda _, args, out, name=name: found[name].append(out)))
    with torch.no_grad():
        model(tokens, attention_mask=mask, use_cache=False)
    for hook in hooks:
        hook.remove()
    return [[tensor.numpy() for tensor in found[name]] for name, _ in mixers]


@pytest.mark.parametrize("padding", ["none", "left", "right"])
def test_equals_transformers(saved, padding):
    model, folder, family = saved
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(1, 24, (2, 11), generator=generator)
    mask = torch.ones_like(tokens)
    if padding != "none":
        mask[0, slice(0, 4) if padding == "left" else slice(7, 11)] = 0
    opened = open_model(folder)
    assert opened.assumed == () and opened.format in (family, "granitemoehybrid")
    assert opened.parameters == sum({p.data_ptr(): p.numel() for p in model.parameters()}.values())
    config = model.config
    scale = getattr(config, "ssm_out_multiplier", 1.0) * getattr(config, "residual_multiplier", 1.0)
    pairs = seen(model, tokens, mask)
    assert len(pairs) == len(opened.layers) > 0
    for layer, (h, out) in zip(opened.layers, pairs, strict=True):
        for row in range(2):
            ours = block(layer, h[row], None if padding == "none" else mask[row].numpy())
            assert np.abs(ours - scale * out[row]).max() <= TIED * max(1.0, np.abs(out[row]).max()), layer.name


def test_tokens_enter_and_pass_as_in_transformers(saved):
    """What the first block is given is a row of the vocabulary, and what each later one of those that are reached is
    given is what the blocks before it added up to."""
    model, folder, _ = saved
    opened = open_model(folder)
    assert opened.stream is not None
    tokens = torch.randint(1, 24, (1, 11), generator=torch.Generator().manual_seed(1))
    h = np.concatenate(list(opened.stream.vocabulary.blocks(5)))[tokens[0].numpy()]
    pairs = seen(model, tokens, torch.ones_like(tokens))
    whole = opened.format in ("mamba", "falcon_mamba", "mamba2")
    assert opened.stream.reached == (len(opened.layers) if whole else 1)
    for layer, (theirs, _) in zip(list(opened.layers)[: opened.stream.reached], pairs, strict=False):
        assert np.abs(h - theirs[0]).max() <= 1e-5 * max(1.0, np.abs(theirs).max()), layer.name
        h = h + block(layer, h)


def test_a_masked_token_changes_no_other(saved):
    """Zero, not skipped: what stands in a masked place is lost, but its place counts."""
    _, folder, _ = saved
    weights = open_model(folder).layers[0].mixer
    v = np.random.default_rng(0).normal(size=(8, 16))
    other, mask = v.copy(), np.ones(8)
    mask[2], other[2] = 0, 100.0
    assert np.array_equal(mixer(weights, v, mask)[3:], mixer(weights, other, mask)[3:])
    assert not np.allclose(mixer(weights, v)[3:], mixer(weights, v, mask)[3:], atol=1e-9)
    assert math.isfinite(np.abs(mixer(weights, 1e3 * v)).max())


HYBRIDS = ("Jamba", "Bamba", "Zamba2", "NemotronH", "GraniteMoeHybrid", "FalconH1")


@pytest.mark.parametrize("name", ["Mamba", "FalconMamba", "Mamba2", *HYBRIDS])
def test_what_is_assumed_is_their_default(tmp_path, monkeypatch, name):
    """A config may leave out what it did not change; the program then runs with its default, and so do we."""
    config = getattr(transformers, f"{name}Config")()
    shapes, stated = SHAPES[config.model_type]
    kept = {
        "model_type",
        "n_groups",
        "mamba_n_groups",
        "mamba_ngroups",
        "state_size",
        "ssm_state_size",
        "mamba_d_state",
    }
    if name == "FalconH1":
        kept |= {"mamba_rms_norm"}  # its default is another mixer than the one in the file
    asked, get = {}, Facts.get

    def noted(facts, key, default, what):
        asked[key] = default
        return get(facts, key, default, what)

    monkeypatch.setattr(Facts, "get", noted)
    folder = save(tmp_path / "model", random(shapes), {key: stated[key] for key in kept & stated.keys()})
    assert open_model(folder).assumed
    for key, default in asked.items():
        theirs = getattr(config, key)
        assert default == (tuple(theirs) if isinstance(default, tuple) else theirs), key


def test_sharded_in_16_bits(tmp_path):
    """As released models come: bfloat16, several files and an index; every number is kept."""
    torch.manual_seed(0)
    config = transformers.Mamba2Config(**(SMALL | FAMILIES["mamba2"][1]))
    model = transformers.Mamba2ForCausalLM(config).to(torch.bfloat16).eval()
    model.save_pretrained(tmp_path, max_shard_size="2KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    opened = open_model(tmp_path)
    for layer, part in zip(opened.layers, model.double().backbone.layers, strict=True):
        rows = part.mixer.in_proj.weight.detach().numpy()
        ours = layer.mixer
        assert np.array_equal(np.vstack([ours.R_z, ours.R_x, ours.R_B, ours.R_C, ours.R_dt]), rows)
        assert np.array_equal(ours.A_log, part.mixer.A_log.detach().numpy())
