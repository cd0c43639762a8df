"""Every family is read from its own names, whatever holds them; what is not said is assumed aloud, or refused."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
import safetensors.torch
import torch

from ssm_bounds.models.files.container import CheckpointError
from ssm_bounds.models.files.formats import FORMATS
from ssm_bounds.models.files.mamba import open_model
from ssm_bounds.models.mamba.weights import Mamba1, Mamba2
from tests.models.files.formats.models import EMBEDDING, FAMILIES, MODEL, G, H, N, d, mixer2, random, save, shard, stack

every = pytest.mark.parametrize("family", FAMILIES)
CONFIG_ONLY = ("falcon_mamba", "granitemoehybrid", "falcon_h1")
FIELD = [
    ("hf", {}, "mamba"),
    ("hf_shard", {}, "mamba"),
    ("hf_shard/model.safetensors.index.json", {}, "mamba"),
    ("jamba.safetensors", {}, "jamba"),
    ("mamba2.bin", {"input_radius": 4.0, "mixer_groups": 2}, "mamba_ssm"),
    ("mambapy.pt", {}, "mambapy"),
    ("mamba_minimal.pth", {}, "mamba_minimal"),
    ("vim_flat.pth", {"input_radius": 4.0}, "vision_mamba"),
]
REFUSED = [
    ("s5.safetensors", {}, "is S5"),
    ("lru.pth", {}, "is LRU"),
    ("vmamba.pth", {}, "is VMamba"),
    ("s4d_flat.pth", {}, "is S4D"),
    ("bnb4.safetensors", {}, "is quantised"),
    ("complexA_imag.pth", {}, "has a complex state matrix"),
    ("bf16.pth", {}, "is a classifier with one selective SSM"),
    ("mamba2.bin", {}, "state --input-radius R"),
    ("mamba2.bin", {"input_radius": 4.0}, "state --mixer-groups G"),
    ("mamba2.bin", {"input_radius": 4.0, "mixer_groups": 3}, "do not divide"),
    ("vim_flat.pth", {}, "state --input-radius R"),
    ("hf", {"input_radius": 4.0}, "leave --input-radius out"),
    ("hf", {"mixer_groups": 2}, "leave --mixer-groups out"),
    ("padright.npz", {}, "holds no layer of Mamba"),
    ("script.pt", {}, "is a TorchScript program"),
    ("corrupt_deflate.npz", {}, "is damaged"),
    ("README.md", {}, "starts with"),
    ("nothing.safetensors", {}, "no such file"),
]


def problem(path, **options):
    """The one line that opening or reading ends with."""
    with pytest.raises(CheckpointError) as caught:
        list(open_model(path, **options).layers)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 700
    return message


@pytest.mark.parametrize(("name", "options", "form"), FIELD, ids=lambda value: value if isinstance(value, str) else "")
def test_files_from_the_field_are_read(shared, name, options, form):
    model = open_model(shared / "field" / name, **options)
    assert model.format == form and len(model.layers) == 2 and model.assumed
    assert not ("input_radius" in options and "eps of the block norm" in " ".join(model.assumed))
    for i, layer in enumerate(model.layers):
        assert layer.index == i and (layer.norm is None) == ("input_radius" in options) == (layer.radius is not None)


@pytest.mark.parametrize(
    ("name", "options", "says"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_other_files_from_the_field_are_refused_by_name(shared, name, options, says):
    assert says in problem(shared / "field" / name, **options)


def test_trained_blocks_under_foreign_names_need_a_map(shared):
    assert "give a map of its names" in problem(shared / "checkpoints" / "typeseg" / "mamba_al.npz")


@every
def test_exactly_one_format_recognises_each_family(family):
    shapes, config = FAMILIES[family]
    name = family.split(",")[0]
    assert [form.NAME for form in FORMATS if form.recognises(shapes.keys(), config or {})] == [name]
    alone = [form.NAME for form in FORMATS if form.recognises(shapes.keys(), {})]
    assert alone == [{"falcon_mamba": "mamba"}.get(name, name)] or name in CONFIG_ONLY


@every
def test_each_family_is_read_with_its_config(tmp_path, family):
    shapes, config = FAMILIES[family]
    model = open_model(save(tmp_path / "model", random(shapes), config))
    assert model.format == family.split(",")[0] and len(model.layers) == 2
    assert (model.family == "Mamba-2") == isinstance(model.layers[0].mixer, Mamba2)
    assert model.parameters == sum(np.prod(shape) for shape in shapes.values())
    assert not model.assumed or config is None
    for layer in model.layers:
        arrays = [getattr(layer.mixer, field.name) for field in fields(layer.mixer)]
        assert layer.norm is not None and all(a.dtype == np.float64 for a in arrays if isinstance(a, np.ndarray))


@every
def test_without_a_config_what_it_would_have_said_is_assumed_or_refused(tmp_path, family):
    shapes, _ = FAMILIES[family]
    folder = save(tmp_path / "model", random(shapes))
    grouped = any(name.endswith("dt_bias") for name in shapes)
    if family in ("granitemoehybrid", "falcon_h1"):
        assert "in its config.json alone" in problem(folder, mixer_groups=G)
        return
    if grouped:
        assert "state --mixer-groups G" in problem(folder)
    model = open_model(folder, mixer_groups=G if grouped else None)
    told = " ".join(model.assumed)
    assert "eps" in told and "no config" in told and (f"{G} groups, as stated" in told) == grouped
    assert "step" in told or not grouped
    assert "FalconMamba" in told or family not in ("mamba", "falcon_mamba")


@every
@pytest.mark.parametrize(
    "container", ["safetensors", "shards", "zip", "legacy", "npz", "wrapped", "state_dict", "old shards"]
)
def test_every_container_gives_the_same_numbers(tmp_path, family, container):
    shapes, config = FAMILIES[family]
    tensors = random(shapes)
    plain = open_model(save(tmp_path / "plain", tensors, config))
    other = tmp_path / "other"
    save(other, {}, config)
    (other / "model.safetensors").unlink()
    weights = {name: torch.from_numpy(array) for name, array in tensors.items()}
    if container == "safetensors":
        safetensors.torch.save_file(weights, other / "model.safetensors", {"format": "pt"})
    elif container == "shards":
        shard(other, tensors)
    elif container == "old shards":
        parts = {"pytorch_model-1.bin": sorted(weights)[::2], "pytorch_model-2.bin": sorted(weights)[1::2]}
        for i, (part, mine) in enumerate(parts.items()):
            torch.save({name: weights[name] for name in mine}, other / part, _use_new_zipfile_serialization=i == 0)
        weight_map = {name: part for part, mine in parts.items() for name in mine}
        (other / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    elif container == "npz":
        np.savez_compressed(other / "pytorch_model.bin", allow_pickle=False, **tensors)
        (other / "pytorch_model.bin.npz").rename(other / "pytorch_model.bin")
    elif container == "wrapped":
        torch.save({f"module._orig_mod.{name}": x for name, x in weights.items()}, other / "pytorch_model.bin")
    else:
        content = {"state_dict": weights} if container == "state_dict" else weights
        torch.save(content, other / "pytorch_model.bin", _use_new_zipfile_serialization=container != "legacy")
    model = open_model(other)
    assert (model.format, model.parameters, model.assumed) == (plain.format, plain.parameters, plain.assumed)
    for one, two in zip(plain.layers, model.layers, strict=True):
        assert one.name == two.name and one.norm.eps == two.norm.eps
        for field in fields(one.mixer):
            assert np.array_equal(getattr(one.mixer, field.name), getattr(two.mixer, field.name)) or not isinstance(
                getattr(one.mixer, field.name), np.ndarray
            )


@every
def test_dimensions_come_from_shapes(tmp_path, family):
    """Configs lie: of 'mamba-790m' about the layers, of 'falcon-mamba' about expand."""
    shapes, config = FAMILIES[family]
    lies = {"hidden_size": 999, "num_hidden_layers": 77, "expand": 16, "intermediate_size": 1, "conv_kernel": 9}
    lies |= {"n_layer": 77, "time_step_rank": 55}
    model = open_model(save(tmp_path / "model", random(shapes), None if config is None else config | lies))
    assert len(model.layers) == 2 and len(model.layers[0].mixer.R_x) == d


def test_jamba_is_read_under_both_spellings(tmp_path):
    shapes, config = FAMILIES["jamba"]
    other = {name.replace("input_layernorm", "norm"): shape for name, shape in shapes.items()}
    one, two = (open_model(save(tmp_path / str(i), random(s), config)) for i, s in enumerate((shapes, other)))
    assert np.array_equal(one.layers[1].norm.gamma, two.layers[1].norm.gamma)


def test_what_the_config_says_reaches_the_mixer(tmp_path):
    def read(family, **changes):
        shapes, config = FAMILIES[family]
        return open_model(save(tmp_path / "model", random(shapes), config | changes)).layers[0]

    assert read("mamba", layer_norm_epsilon=0.5).norm.eps == 0.5
    assert read("falcon_mamba", mixer_rms_eps=0.25).mixer.inner.eps == 0.25
    assert read("mamba2", time_step_limit=[0.5, 2]).mixer.limits == (0.5, 2.0)
    assert read("nemotron_h", time_step_min=0.75).mixer.limits == (0.75, np.inf)  # not its time_step_limit
    assert read("zamba2", time_step_min=0.75).mixer.limits == (0.75, np.inf)
    assert read("zamba2", rms_norm_eps=0.5).mixer.norm.eps == 1e-5  # written into its program
    assert read("mamba_ssm, 2", ssm_cfg={"d_state": N, "ngroups": G, "dt_limit": [0.5, 2]}).mixer.limits == (0.5, 2.0)
    plain = read("granitemoehybrid", residual_multiplier=1.0).mixer.W_o
    assert np.array_equal(read("granitemoehybrid", residual_multiplier=0.25).mixer.W_o, 0.25 * plain)
    one, two = read("falcon_h1"), read("falcon_h1", ssm_in_multiplier=2.0, ssm_multipliers=[4, 8, 16, 32, 64])
    for part, by in (("R_z", 4), ("R_x", 8), ("R_B", 16), ("R_C", 32), ("R_dt", 64)):
        assert np.array_equal(getattr(two.mixer, part), 2 * by * getattr(one.mixer, part))
    assert one.mixer.norm.before_gate and not read("falcon_h1", mamba_norm_before_gate=False).mixer.norm.before_gate


def test_rows_of_mamba2_are_z_x_B_C_dt(tmp_path):
    shapes, config = FAMILIES["mamba2"]
    tensors = random(shapes)
    rows = tensors["backbone.layers.0.mixer.in_proj.weight"]
    mixer = open_model(save(tmp_path / "model", tensors, config)).layers[0].mixer
    assert isinstance(mixer, Mamba2) and mixer.groups == mixer.norm.groups == G and len(mixer.R_dt) == H
    assert np.array_equal(np.vstack([mixer.R_z, mixer.R_x, mixer.R_B, mixer.R_C, mixer.R_dt]), rows)


def test_a_layer_norm_has_its_bias(tmp_path):
    shapes, config = FAMILIES["mamba_ssm"]
    shapes = shapes | {f"backbone.layers.{i}.norm.bias": (4,) for i in range(2)}
    model = open_model(save(tmp_path / "model", random(shapes), config | {"rms_norm": False}))
    assert model.layers[0].norm.kind == "layer" and isinstance(model.layers[0].mixer, Mamba1)
    assert "says rms_norm" in problem(save(tmp_path / "lie", random(shapes), config))


def test_what_is_not_analysed_is_listed(tmp_path):
    shapes, config = FAMILIES["jamba"]
    shapes = shapes | {"model.layers.0.pre_ff_layernorm.weight": (4,), "lm_head.weight": (5, 4)}
    assert open_model(save(tmp_path / "model", random(shapes), config)).not_analysed == (
        "model.layers.*.feed_forward (MLP) in layer 2",
        "model.layers.*.pre_ff_layernorm in layer 0",
        "model.layers.*.self_attn (attention) in layer 2",
        "lm_head",
    )


def test_tied_weights_count_once(tmp_path):
    shapes, _ = FAMILIES["mamba_ssm"]
    weights = {name: torch.from_numpy(array) for name, array in random(shapes).items()}
    torch.save(weights | {"lm_head.weight": weights["backbone.embedding.weight"]}, tmp_path / "model.bin")
    assert open_model(tmp_path / "model.bin").parameters == sum(np.prod(shape) for shape in shapes.values())


def test_attention_layers_of_mamba_ssm_are_passed_over(tmp_path):
    shapes, config = FAMILIES["mamba_ssm, 2"]
    shapes = shapes | {"backbone.layers.2.mixer.Wqkv.weight": (12, 4), "backbone.layers.2.norm.weight": (4,)}
    model = open_model(save(tmp_path / "model", random(shapes), config | {"attn_layer_idx": [2]}))
    assert len(model.layers) == 2 and "backbone.layers.*.mixer (attention) in layer 2" in model.not_analysed


@pytest.mark.parametrize(
    ("family", "change", "says"),
    [
        ("mamba", {"layer_norm_epsilon": 0}, "'layer_norm_epsilon': expected a number above 0, found 0"),
        ("mamba", {"layer_norm_epsilon": "small"}, "'layer_norm_epsilon': expected a finite number, found 'small'"),
        ("mamba", {"layer_norm_epsilon": float("nan")}, "found nan"),
        ("mamba", {"layer_norm_epsilon": True}, "found True"),
        ("mamba", {"hidden_act": "gelu"}, "expected silu"),
        ("mamba", {"model_type": "mamba2"}, "whose tensors these are not"),
        ("mamba", {"model_type": ["mamba"]}, "whose tensors these are not"),
        ("mamba", {"quantization_config": {}}, "is quantised"),
        ("mamba2", {"n_groups": 4}, "config says G = 4, N = 2; state --mixer-groups"),
        ("mamba2", {"n_groups": 0}, "'n_groups': expected a whole number from 1 on"),
        ("mamba2", {"n_groups": "2"}, "'n_groups': expected a whole number from 1 on"),
        ("mamba2", {"time_step_limit": [2, 1]}, "two numbers, 0 <= low <= high"),
        ("mamba2", {"time_step_limit": [0, float("nan")]}, "two numbers, 0 <= low <= high"),
        ("mamba2", {"time_step_limit": 3}, "expected 2 numbers"),
        ("mamba2", {"model_type": "mamba"}, "whose tensors these are not"),
        ("zamba2", {"time_step_min": -1}, "a finite number from 0 on"),
        ("falcon_h1", {"ssm_multipliers": [1, 2]}, "expected 5 numbers"),
        ("falcon_h1", {"ssm_multipliers": [1, 2, 3, 4, "5"]}, "expected 5 numbers"),
        ("falcon_h1", {"ssm_multipliers": [1, 2, 3, 4, float("inf")]}, "makes weights infinite"),
        ("falcon_h1", {"ssm_out_multiplier": 10**400}, "expected a finite number"),
        ("mamba2", {"time_step_limit": [0, 10**400]}, "expected 2 numbers"),
        ("falcon_h1", {"mamba_rms_norm": 1}, "expected true or false"),
        ("falcon_h1", {"mamba_rms_norm": False}, "which no mixer of this family has"),
        ("mamba_ssm", {"ssm_cfg": {"layer": "Mamba2"}}, "the tensors are those of Mamba1"),
        ("mamba_ssm", {"ssm_cfg": 3}, "'ssm_cfg': expected an object"),
    ],
)
def test_a_config_that_lies_is_refused(tmp_path, family, change, says):
    shapes, config = FAMILIES[family]
    assert says in problem(save(tmp_path / "model", random(shapes), config | change))


def test_groups_that_the_config_denies(tmp_path):
    shapes, config = FAMILIES["mamba2"]
    folder = save(tmp_path / "model", random(shapes), config)
    assert open_model(folder, mixer_groups=G).assumed == ()
    assert "leave the option out" in problem(folder, mixer_groups=1)
    lying = save(tmp_path / "lie", random(shapes), config | {"n_groups": 8})
    assert open_model(lying, mixer_groups=G).assumed == (f"{G} groups, as stated",)


@pytest.mark.parametrize("options", [{"input_radius": 0}, {"input_radius": float("nan")}, {"mixer_groups": 0}])
def test_options_out_of_range(tmp_path, options):
    assert "expected a" in problem(tmp_path, **options)


@every
def test_every_wrong_shape_is_named(tmp_path, family):
    """Tensor, expected and found; before any number is read."""
    shapes, config = FAMILIES[family]
    own = [name for name in shapes if "layers.1." in name and "layers.2" not in name]
    for name in own:
        if "self_attn" in name or "shared_mlp" in name:
            continue
        shape = shapes[name]
        axes = [i for i in range(len(shape)) if not (i == 2 and "conv1d.weight" in name)]  # k stands nowhere else
        for wrong in (*((*shape[:i], shape[i] + 1, *shape[i + 1 :]) for i in axes), (*shape, 1)):
            folder = save(tmp_path / "model", random(shapes | {name: wrong}), config)
            with pytest.raises(CheckpointError, match=r"tensor '[\w.]+': has") as caught:
                open_model(folder)
            assert "expected" in str(caught.value)


@every
def test_a_missing_or_an_extra_tensor_of_a_mixer_is_named(tmp_path, family):
    shapes, config = FAMILIES[family]
    inside = next(name.removesuffix("A_log") for name in shapes if ".1." in name and name.endswith(".A_log"))
    folder = save(tmp_path / "model", random(shapes | {f"{inside}lora_A.weight": (2, 2)}), config)
    assert "which no mixer of this family has" in problem(folder)
    for name in ("A_log", "D", "in_proj.weight", "out_proj.weight", "conv1d.weight"):
        less = {key: shape for key, shape in shapes.items() if key != inside + name}
        assert f"lacks tensor '{inside}{name}'" in problem(save(tmp_path / "model", random(less), config))


def test_layers_that_are_not_there(tmp_path):
    shapes, config = FAMILIES["mamba"]
    less = {name: shape for name, shape in shapes.items() if ".layers.0." not in name}
    assert "lacks every tensor of layer 0 of 2" in problem(save(tmp_path / "model", random(less), config))
    twice = shapes | {name.replace("backbone", "mtp"): shape for name, shape in shapes.items()}
    assert "expected one stack" in problem(save(tmp_path / "model", random(twice), config))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({"l.0.mixer.dt_bias": (2,), "l.0.mixer.B_bias": (2,)}, "is Mamba-3"),
        (
            {"model.layers.0.mamba.x_proj_weight": (2, 2, 2), "model.layers.0.mamba.A_log": (2, 2, 2)},
            "is Zamba of the first",
        ),
        ({"layers.0.mixer.A_log": (2, 2), "layers.0.mixer.A_b_log": (2, 2)}, "bimamba v1"),
        ({"a.weight_scale": (2,), "layers.0.mixer.A_log": (2, 2)}, "is quantised"),
        ({"transformer.h.0.attn.weight": (2, 2)}, "holds no layer of Mamba"),
        ({"blocks.0.ssm.A_log": (2, 2)}, "give a map of its names"),
    ],
)
def test_other_families_are_named(tmp_path, names, says):
    assert says in problem(save(tmp_path / "model", random(names)))


def test_a_mixer_without_its_gated_norm_is_another_one(tmp_path):
    less = {name: shape for name, shape in mixer2("backbone.layers.0.mixer.").items() if "norm" not in name}
    config = FAMILIES["mamba_ssm, 2"][1]
    shapes = less | EMBEDDING | {"backbone.layers.0.norm.weight": (4,)}
    assert open_model(save(tmp_path / "model", random(shapes), config)).layers[0].mixer.norm is None
    hf = {name.replace("embedding", "embeddings"): shape for name, shape in shapes.items()}
    assert "lacks tensor" in problem(save(tmp_path / "hf", random(hf), FAMILIES["mamba2"][1]))


def test_numbers_are_read_when_a_layer_is(tmp_path):
    shapes, config = FAMILIES["bamba"]
    tensors = random(shapes)
    tensors["model.layers.1.mamba.D"][0] = np.nan
    model = open_model(save(tmp_path / "model", tensors, config))
    assert model.layers[0].index == 0 and len(model.layers[:1]) == 1
    with pytest.raises(
        CheckpointError, match=r"tensor 'model\.layers\.1\.mamba\.D': has 1 NaN or infinite values among 2"
    ):
        model.layers[1]
    with pytest.raises(IndexError):
        model.layers[2]


def test_a_config_is_json(tmp_path):
    folder = save(tmp_path / "model", random(stack(mixer2, MODEL, "mamba.", "input_layernorm")))
    for text, says in (
        ("{", "is not JSON"),
        ("[]", "holds list"),
        ("[" * 10**5, "is not JSON"),
        ("\xff", "is not JSON"),
    ):
        (folder / "config.json").write_bytes(text.encode("latin-1"))
        assert says in problem(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt\n\x1b[31m"}))
    assert "\x1b" not in problem(folder)
