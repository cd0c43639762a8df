"""A language model of Mamba blocks, from a text to its folder, as a person at a terminal sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from ssm_bounds.experiments.mamba import opened, ran, say_stopped, with_bar
from ssm_bounds.models.files import atomic
from ssm_bounds.models.files.classifier import TEXT, write
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.module import MambaClassifier
from ssm_bounds.models.mamba.start import start
from ssm_bounds.models.tasks.documents import read_documents
from ssm_bounds.models.tasks.symbols import English
from ssm_bounds.models.training.language import mean_bits, train_language
from ssm_bounds.models.training.mamba import MambaEpoch, MambaResult, MambaSettings


def train_on(
    text: Path,
    folder: Path,
    design: Design,
    settings: MambaSettings,
    *,
    T: int,
    console: Console,
    device: str = "cpu",
    resume: bool = False,
) -> MambaResult:
    """Train on the documents of a .jsonl file; model, config and a copy of the text go to ``folder``, as by
    ``experiments.mamba.train_into``. Raises: ValueError, OSError."""
    symbols = English()
    documents = read_documents(text, symbols, T)
    state = opened(folder, resume=resume)
    said = {"task": "text", "text": text.name, "sha256": documents.sha256, "documents": documents.m, "T": T}

    def save(model: MambaClassifier, status: str, epochs: int, **found: float) -> None:
        training = said | ran(settings, status, epochs) | found
        write(folder, design, model.tensors(), symbols=symbols.name, seed=settings.seed, training=training)

    if not state.exists():
        save(MambaClassifier.from_tensors(design, start(design, settings.seed)), "started", 0)

    def train(progress: Callable[[MambaEpoch], None]) -> MambaResult:
        return train_language(documents, design, settings, device=device, progress=progress, state=state)

    result = with_bar(settings, console, train)
    bits = mean_bits(result.model.cpu(), documents)
    if not (folder / TEXT).exists() or not text.samefile(folder / TEXT):
        atomic.write(folder / TEXT, text.read_bytes())
    save(result.model, result.status, len(result.history), train_bits=bits)
    if result.status != "interrupted":
        state.unlink(missing_ok=True)
    say_stopped(console, result)
    console.print(
        f"{bits:.4f} bits a symbol of the text; saved {folder} (config.json, model.safetensors, {TEXT})", soft_wrap=True
    )
    return result
