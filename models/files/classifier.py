"""The folder of a classifier: ``config.json`` and ``model.safetensors`` as transformers has them, and what it has not.

Its ``MambaModel`` or ``Mamba2Model`` reads the backbone. Ours are the tensors ``score`` and ``input_proj``, and in the
config ``pooling``, ``pool_before_norm``, ``final_norm``, ``input_size`` (real inputs), ``seed`` (of the start) and
``training``. Without a final norm the file has no ``norm_f``, which transformers would apply all the same.

A folder without pooling is a language model, as ``MambaForCausalLM`` has it: its head is the embedding, or
``lm_head.weight`` where that is not tied. Ours are the tensor ``lm_head.bias`` and in the config ``symbols``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files import atomic
from ssm_bounds.models.files.container import CheckpointError, Tensor, quote
from ssm_bounds.models.files.formats.blocks import require_shape
from ssm_bounds.models.files.mamba import Model, of_tensors
from ssm_bounds.models.files.tensors import Tensors, located, open_tensors, read_json
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.design import Design, Pooling
from ssm_bounds.models.mamba.start import LARGEST_SEED, narrowed, parts, start
from ssm_bounds.models.mamba.weights import Array, Layer, Norm

CONFIG, WEIGHTS, DATA, STATE = "config.json", "model.safetensors", "train.npz", "training.state"
TEXT = "train.jsonl"
"""Everything that a training leaves in its folder; the state only until it has ended."""
_EMBEDDINGS = ("backbone.embeddings.weight", "backbone.embedding.weight")


def write(
    folder: Path,
    design: Design,
    tensors: Mapping[str, NDArray[np.floating]],
    *,
    labels: tuple[str, ...] = (),
    symbols: str | None = None,
    seed: int,
    training: Mapping[str, Any],
) -> None:
    """Write the float32 weights as they are, and the config; each file atomically. ``training``: JSON values that say
    what was trained on what. Raises: OSError."""
    config = configured(design, labels, symbols) | {"seed": seed, "training": dict(training)}
    atomic.write(folder / CONFIG, (json.dumps(plain(config), indent=2, allow_nan=False) + "\n").encode())
    atomic.write(folder / WEIGHTS, packed(tensors))


def require_own(folder: Path) -> None:
    """Raise CheckpointError unless the folder may be written: it is not there, is empty, or holds a training of ours
    and nothing else."""
    if not folder.exists():
        if not folder.parent.is_dir():
            raise CheckpointError(f"{folder}: there is no directory {folder.parent}; create it first")
        return
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: is a file, expected a folder to write; name another")
    names = {path.name for path in folder.iterdir()}
    if not names:
        return
    if other := sorted(names - {CONFIG, WEIGHTS, DATA, TEXT, STATE}):
        raise CheckpointError(f"{folder}: holds {quote(other[0])}, which no training here wrote; name another folder")
    if CONFIG not in names:
        raise CheckpointError(f"{folder}: is not empty and has no {CONFIG}; name another folder")
    with located(folder):
        if not isinstance(read_json(folder / CONFIG).get("training"), dict):
            raise CheckpointError(f"{CONFIG} is of a model that was not trained here; name another folder")


def configured(design: Design, labels: tuple[str, ...], symbols: str | None = None) -> dict[str, Any]:
    """The design in the words of transformers' config, and in ours. A language model has ``symbols`` for labels."""
    config: dict[str, Any] = {
        "model_type": design.mixer,
        "vocab_size": design.V or 1,
        "hidden_size": design.D,
        "num_hidden_layers": design.layers,
        "state_size": design.N,
        "conv_kernel": design.k,
        "expand": design.expand,
        "use_bias": False,
        "use_conv_bias": True,
        "hidden_act": "silu",
        "layer_norm_epsilon": design.eps,
        "tie_word_embeddings": False,
        "dtype": "float32",
        "pad_token_id": design.pad,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    if design.mixer == "mamba":
        config |= {"intermediate_size": design.d, "time_step_rank": design.R}
    else:
        config |= {"num_heads": design.H, "head_dim": design.P, "n_groups": design.G, "chunk_size": 64}
        config |= {"time_step_limit": [0.0, math.inf]}
    if design.pooling == "none":
        return config | {
            "tie_word_embeddings": True,
            "pooling": "none",
            "final_norm": design.final_norm,
            "symbols": symbols,
        }
    config |= {
        "num_labels": len(labels),
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
        "pooling": design.pooling,
        "pool_before_norm": design.pool_before_norm,
        "final_norm": design.final_norm,
    }
    return config | ({"input_size": design.c} if design.c is not None else {})


def read(path: Path | str) -> Classifier:
    """The classifier in a folder, all of it in memory. Raises: CheckpointError, one line."""
    file = open_tensors(path)
    with located(file.path):
        sha256 = _identity(_sha256(file.path), file.config or {})
    return _classifier(file, sha256)


def tensors(path: Path | str) -> dict[str, Array]:
    """Every tensor of the folder in float64, in the order of their names; of a language model its embedding once, where
    that is tied, and a bias, zeros without one. Raises: CheckpointError."""
    file = open_tensors(path)
    with located(file.path):
        config, names = file.config or {}, set(file.tensors)
        bias = dict[str, Array]()
        if is_language_model(config, names):
            if tied(config, names):
                names.discard("lm_head.weight")
            embedding = next((name for name in _EMBEDDINGS if name in names), None)
            if embedding is not None and "lm_head.bias" not in names:
                bias["lm_head.bias"] = np.zeros((file.shape(embedding) or (0,))[0])
        return dict(sorted(({name: file.array(name) for name in names} | bias).items()))


def assembled(tensors: Mapping[str, Array], config: Mapping[str, Any], source: Path | str = "the model") -> Classifier:
    """The classifier that a folder of these tensors would hold (:func:`packed`). Raises: CheckpointError."""
    held = {name: Tensor("float64", value.shape, partial(np.asarray, value)) for name, value in tensors.items()}
    sha256 = _identity(hashlib.sha256(packed(tensors)).hexdigest(), config)
    return _classifier(Tensors(Path(source), held, config), sha256)


def plain(value: Any) -> Any:
    """A config as JSON has it: infinities in the words of transformers."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        name = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return {"__float__": name}
    return value


def packed(tensors: Mapping[str, NDArray[np.floating]]) -> bytes:
    """The bytes of a file of weights, each as it is."""
    return safetensors.numpy.save(dict(tensors), {"format": "pt"})


def _classifier(file: Tensors, sha256: str) -> Classifier:
    model = of_tensors(file)
    layers = tuple(model.layers)
    with located(file.path):
        config = file.config
        if config is None:
            raise CheckpointError(f"lacks {CONFIG}, which says how tokens are pooled; name the folder that has both")
        _require_all(file, config, model)
        D = len(layers[0].mixer.W_o)
        embedding, weight, shift = _inputs(file, D)
        norm = _final_norm(file, config, layers)
        labels: tuple[str, ...] = ()
        pooling: Pooling = "none"
        before = False
        if is_language_model(config, file.tensors):
            score, bias = _predicting(file, config, embedding)
        else:
            score, bias = _linear(file, "score", D)
            labels = _labels(config, len(score))
            pooling, before = _pooling(config, norm)
        pad = _count(config, "pad_token_id", 0)
        if pad is not None and (embedding is None or pad >= len(embedding)):
            raise _wrong("pad_token_id", "one of the tokens, or null", pad)
        seed = _count(config, "seed", 0)
        return Classifier(
            layers=layers,
            final_norm=norm,
            score=score,
            bias=bias,
            pooling=pooling,
            pool_before_norm=before,
            sha256=sha256,
            embedding=embedding,
            input_weight=weight,
            input_bias=shift,
            pad=pad,
            labels=labels,
            seed=seed,
            start=None if seed is None else _start(file, config, len(score), seed),
            config=config,
            assumed=(*model.assumed, *_untied(config, file.tensors)) if pooling == "none" else model.assumed,
            symbols=_symbols(config),
        )


def _require_all(file: Tensors, config: Mapping[str, Any], model: Model) -> None:
    """The file is this classifier and nothing else, and its config does not say otherwise: what no part of it reads
    would make another function of it."""
    owners = ("score", "input_proj", "backbone.norm_f", "lm_head")
    known = {f"{name}.{part}" for name in owners for part in ("weight", "bias")}
    if is_language_model(config, file.tensors):
        known -= {"score.weight", "score.bias"}
    else:
        known.discard("lm_head.bias")
    other = sorted(set(model.unread) - known - set(_EMBEDDINGS))
    if other:
        raise CheckpointError(
            f"also holds {quote(other[0])}, which no classifier of Mamba blocks reads: it is a part of another model"
        )
    if sum(name in file for name in _EMBEDDINGS) > 1:
        raise CheckpointError(f"holds two embeddings, {' and '.join(map(quote, _EMBEDDINGS))}; leave one")
    count = _count(config, "num_hidden_layers")
    if count not in (None, len(model.layers)):
        raise _wrong("num_hidden_layers", f"{len(model.layers)}, the layers of the file", count)
    for key, end in (("use_conv_bias", "conv1d.bias"), ("use_bias", "out_proj.bias")):
        there = any(name.endswith(f"mixer.{end}") for name in file.tensors)
        if config.get(key) not in (None, there):
            raise _wrong(key, f"{str(there).lower()}, as the file has {'one' if there else 'none'}", config[key])


def is_language_model(config: Mapping[str, Any], tensors: Collection[str]) -> bool:
    """Without pooling, as its config says, or as it has neither that nor a head of classes."""
    said = config.get("pooling")
    return said == "none" or (said is None and "score.weight" not in tensors)


def tied(config: Mapping[str, Any], tensors: Collection[str]) -> bool:
    """Is the head of this language model its embedding? Without a word of it in the config, unless it has its own."""
    said = config.get("tie_word_embeddings")
    if said is not None and not isinstance(said, bool):
        raise _wrong("tie_word_embeddings", "true or false", said)
    return "lm_head.weight" not in tensors if said is None else said


def _predicting(file: Tensors, config: Mapping[str, Any], embedding: Array | None) -> tuple[Array, Array]:
    """Weight (V,D) and bias (V,), zeros without one, of the head of a language model."""
    if embedding is None:
        raise CheckpointError("has real inputs and no 'score.weight': it is neither a classifier nor a language model")
    V, D = embedding.shape
    if V < 2:
        raise CheckpointError(f"foretells {V} token: a language model has 2 or more")
    own = file.array("lm_head.weight") if "lm_head.weight" in file else None
    if own is not None:
        require_shape(file, "lm_head.weight", (V, D), "V, D")
    if tied(config, file.tensors):
        if own is not None and not np.array_equal(own, embedding):
            raise _wrong("tie_word_embeddings", "false, as 'lm_head.weight' is not the embedding", True)
        weight = embedding
    elif own is None:
        raise CheckpointError(f"lacks tensor 'lm_head.weight', which {CONFIG} does not tie to the embedding")
    else:
        weight = own
    if "lm_head.bias" not in file:
        return weight, np.zeros(V)
    require_shape(file, "lm_head.bias", (V,), "V")
    return weight, file.array("lm_head.bias")


def _untied(config: Mapping[str, Any], tensors: Collection[str]) -> tuple[str, ...]:
    said = config.get("tie_word_embeddings") is not None or "lm_head.weight" not in tensors
    return () if said else ("the head of the model is its own, not tied to the embedding",)


def _symbols(config: Mapping[str, Any]) -> str | None:
    found = config.get("symbols")
    if found is not None and not isinstance(found, str):
        raise _wrong("symbols", "the name of a list of symbols", found)
    return found


def _linear(file: Tensors, name: str, D: int) -> tuple[Array, Array]:
    """Weight (k,D) and bias (k,), zeros without one."""
    if f"{name}.weight" not in file:
        raise CheckpointError(
            f"lacks tensor {quote(f'{name}.weight')}, the head that makes logits; ssm-bounds train mamba saves one"
        )
    outputs = (file.shape(f"{name}.weight") or (0,))[0]
    require_shape(file, f"{name}.weight", (outputs, D), "outputs, D")
    if outputs < 1:
        raise CheckpointError(f"tensor {quote(f'{name}.weight')}: has no output, expected at least one")
    if f"{name}.bias" not in file:
        return file.array(f"{name}.weight"), np.zeros(outputs)
    require_shape(file, f"{name}.bias", (outputs,), "outputs")
    return file.array(f"{name}.weight"), file.array(f"{name}.bias")


def _inputs(file: Tensors, D: int) -> tuple[Array | None, Array | None, Array | None]:
    """The embedding, or weight and bias of the map of real inputs."""
    name = next((name for name in _EMBEDDINGS if name in file), None)
    if "input_proj.weight" in file:
        if name is not None:
            raise CheckpointError(f"has both {quote(name)} and 'input_proj.weight', expected one kind of inputs")
        c = (file.shape("input_proj.weight") or (0,))[-1]
        require_shape(file, "input_proj.weight", (D, c), "D, inputs")
        if "input_proj.bias" not in file:
            return None, file.array("input_proj.weight"), np.zeros(D)
        require_shape(file, "input_proj.bias", (D,), "D")
        return None, file.array("input_proj.weight"), file.array("input_proj.bias")
    if name is None:
        raise CheckpointError(f"lacks tensor {quote(_EMBEDDINGS[0])} (or 'input_proj.weight'); save the whole model")
    V = (file.shape(name) or (0,))[0]
    require_shape(file, name, (V, D), "V, D")
    return file.array(name), None, None


def _final_norm(file: Tensors, config: Mapping[str, Any], layers: tuple[Layer, ...]) -> Norm | None:
    name, said = "backbone.norm_f", config.get("final_norm")
    there = f"{name}.weight" in file
    if said is not None and said is not there:
        raise _wrong("final_norm", f"{str(there).lower()}, as the file has {'one' if there else 'none'}", said)
    if not there:
        if said is None:
            raise CheckpointError(
                f"lacks tensor {quote(f'{name}.weight')}; without a final norm {CONFIG} says 'final_norm': false"
            )
        return None
    block = layers[0].norm
    D = len(layers[0].mixer.W_o)
    require_shape(file, f"{name}.weight", (D,), "D")
    eps = 1e-5 if block is None else block.eps
    if f"{name}.bias" not in file:
        return Norm("rms", file.array(f"{name}.weight"), eps)
    require_shape(file, f"{name}.bias", (D,), "D")
    return Norm("layer", file.array(f"{name}.weight"), eps, file.array(f"{name}.bias"))


def _pooling(config: Mapping[str, Any], norm: Norm | None) -> tuple[Pooling, bool]:
    pooling = _required(config, "pooling")
    if pooling not in ("last", "mean"):
        raise _wrong("pooling", "'last' or 'mean'", pooling)
    ordered = pooling == "mean" and norm is not None
    before = _required(config, "pool_before_norm") if ordered else config.get("pool_before_norm", False)
    if not isinstance(before, bool) or (before and not ordered):
        raise _wrong("pool_before_norm", "true or false" if ordered else "false", before)
    return cast(Pooling, pooling), before


def _labels(config: Mapping[str, Any], outputs: int) -> tuple[str, ...]:
    found = _required(config, "id2label")
    count = max(outputs, 2)
    if not isinstance(found, dict) or found.keys() != {str(i) for i in range(count)}:
        raise _wrong("id2label", f"names of 0 to {count - 1}, as 'score.weight' has {outputs} rows", found)
    return tuple(str(found[str(i)]) for i in range(count))


def _start(file: Tensors, config: Mapping[str, Any], outputs: int, seed: int) -> dict[str, Array]:
    """From the seed, for a file that holds the tensors of a design and no others."""
    if seed > LARGEST_SEED:
        raise _wrong("seed", "a whole number from 0 to 2^64 - 1", seed)
    design = design_of(config, outputs, language=is_language_model(config, file.tensors))
    expected = {part.name: part.shape for part in parts(design)}
    for name, shape in expected.items():
        if file.shape(name) != shape:
            raise CheckpointError(
                f"tensor {quote(name)}: has shape {file.shape(name)}, but {shape} by {CONFIG}; correct the config"
            )
    if extra := sorted(file.tensors.keys() - expected.keys()):
        raise CheckpointError(f"also holds {quote(extra[0])}, which starts from no seed; leave 'seed' out of {CONFIG}")
    return narrowed(start(design, seed))


def design_of(config: Mapping[str, Any], outputs: int, *, language: bool = False) -> Design:
    """The design that a config says; of a ``language`` model it may say no pooling. Raises: CheckpointError."""
    without = language or config.get("pooling") == "none"
    real = _count(config, "input_size")
    sizes = {
        "D": "hidden_size",
        "layers": "num_hidden_layers",
        "N": "state_size",
        "k": "conv_kernel",
        "expand": "expand",
    }
    if config.get("model_type") == "mamba2":
        sizes |= {"P": "head_dim", "G": "n_groups"}
    found: dict[str, Any] = {letter: _count(config, key, required=True) for letter, key in sizes.items()}
    try:
        return Design(
            mixer=cast(Any, config.get("model_type")),
            V=_count(config, "vocab_size", required=True) if real is None else None,
            c=real,
            outputs=outputs,
            final_norm=config.get("final_norm", True) if without else _required(config, "final_norm"),
            pooling="none" if without else _required(config, "pooling"),
            pool_before_norm=bool(config.get("pool_before_norm", False)),
            pad=_count(config, "pad_token_id", 0),
            eps=config.get("layer_norm_epsilon", 1e-5),
            **found,
        )
    except DomainError as error:
        raise CheckpointError(f"{CONFIG}: {error}") from error


def _required(config: Mapping[str, Any], key: str) -> Any:
    if config.get(key) is None:
        raise CheckpointError(f"{CONFIG} lacks {quote(key)}; ssm-bounds train mamba writes it")
    return config[key]


def _count(config: Mapping[str, Any], key: str, least: int = 1, *, required: bool = False) -> int | None:
    value = _required(config, key) if required else config.get(key)
    if value is not None and (type(value) is not int or value < least):
        raise _wrong(key, f"a whole number from {least} on", value)
    return value


def _wrong(key: str, expected: str, found: object) -> CheckpointError:
    return CheckpointError(f"{CONFIG} {quote(key)}: expected {expected}, found {quote(found)}; correct the config")


def _identity(weights: str, config: Mapping[str, Any]) -> str:
    """SHA-256 of the weights' own and of the config, which says what they compute: without ``training``, its record."""
    acting = {key: value for key, value in config.items() if key != "training"}
    return hashlib.sha256(f"{weights}\n{json.dumps(plain(acting), sort_keys=True)}".encode()).hexdigest()


def _sha256(path: Path) -> str:
    """Of the one file that holds the weights."""
    names = (path, path / WEIGHTS, path / "pytorch_model.bin")
    shards = [name for name in names if name.with_name(f"{name.name}.index.json").exists()]
    if shards:  # which would be read in its place
        raise CheckpointError(f"has {shards[0].name}.index.json; save the model without shards")
    weights = next((name for name in names if name.is_file()), None)
    if weights is None:
        raise CheckpointError(f"expected one file of weights, {WEIGHTS}; save the model without shards")
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
