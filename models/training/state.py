"""Where a training stands, on disk: everything that decides its further course. No pickled code: safetensors and JSON.

Tensors: ``model.NAME``, ``adam.NAME.exp_avg`` ..., ``generator`` (the bytes of torch's generator). One metadata entry,
``training``: a JSON object with ``about`` (what is trained on what), ``history``, ``lr`` and ``schedule``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from ssm_bounds.models.files import atomic
from ssm_bounds.models.tasks.task import Split

Model = TypeVar("Model", bound=nn.Module)


class StateError(ValueError):
    """A file that is not the state of this training."""


@dataclass(frozen=True, slots=True)
class Trainer(Generic[Model]):
    """The live objects whose state is kept."""

    model: Model
    optimizer: torch.optim.Adam
    schedule: LRScheduler
    generator: torch.Generator

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def save(self, path: Path, *, about: Mapping[str, Any], history: list[list[Any]]) -> None:
        """Write the state after the last epoch of ``history``; atomically. Raises: OSError."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            moments = self.optimizer.state.get(parameter, {})
            tensors |= {f"adam.{name}.{moment}": value for moment, value in moments.items()}
        tensors["generator"] = self.generator.get_state()
        schedule = {name: value for name, value in self.schedule.state_dict().items() if not name.startswith("_get")}
        record = {
            "about": about,
            "history": history,
            "lr": self.lr,
            "schedule": schedule,
        }
        data = safetensors.torch.save(
            {name: value.detach().contiguous() for name, value in tensors.items()}, {"training": json.dumps(record)}
        )
        atomic.write(path, data)

    def load(self, path: Path, *, about: Mapping[str, Any]) -> list[list[Any]]:
        """Take over the state in ``path``; its history. Raises: StateError if it is of another training; OSError."""
        try:
            with safetensors.safe_open(path, "pt") as file:
                record = json.loads((file.metadata() or {})["training"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            there, here = record["about"], json.loads(json.dumps(about))
            if there != here:
                raise StateError(f"{path}: is the state of another training ({_difference(there, here)}); remove it")
            self._restore(tensors, record)
            return list(record["history"])
        except StateError:
            raise
        except FileNotFoundError:
            raise
        except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
            raise StateError(f"{path}: is not the state of a training ({type(error).__name__}); remove it") from error

    def _restore(self, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
        names = [name for name, _ in self.model.named_parameters()]
        moments = {
            i: {moment: tensors[f"adam.{name}.{moment}"] for moment in ("step", "exp_avg", "exp_avg_sq")}
            for i, name in enumerate(names)
        }
        groups = self.optimizer.state_dict()["param_groups"]
        groups[0]["lr"] = float(record["lr"])
        self.model.load_state_dict({name: tensors[f"model.{name}"] for name in self.model.state_dict()})
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.schedule.load_state_dict(record["schedule"])
        self.generator.set_state(tensors["generator"])


def fingerprint(split: Split) -> str:
    """SHA-256 of rows and labels: which data a state is of."""
    digest = hashlib.sha256()
    for array in (split.x, split.y):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _difference(there: Any, here: Any, name: str = "") -> str:
    """Where two JSON values differ first."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in (*here, *there):
            if there.get(key) != here.get(key):
                return _difference(there.get(key), here.get(key), f"{name}.{key}" if name else key)
    return f"{name} {there} there, {here} here"
