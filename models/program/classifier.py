"""A classifier, or a language model, as the program runs it (theory 8.13)."""

from __future__ import annotations

import numpy as np

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.design import lengths
from ssm_bounds.models.program.run import headed, pooled, prepared
from ssm_bounds.models.program.selftest import require_exact
from ssm_bounds.models.program.stack import Embedding, Projection, Stack
from ssm_bounds.models.tasks.task import Split


def stack(classifier: Classifier) -> Stack:
    """One output decides by its sign: it is the logit of label 1 beside a 0, so that an output of 0 is a tie.

    Raises: DomainError where theory 8.13 has no such part.
    """
    found = classifier
    if found.embedding is not None:
        entry: Embedding | Projection = Embedding(found.embedding)
    elif found.input_weight is not None and found.input_bias is not None:
        entry = Projection(found.input_weight, found.input_bias)
    else:
        raise DomainError("a classifier without inputs: neither an embedding nor a map of reals")
    head, bias = found.score, found.bias
    if len(head) == 1:
        head, bias = np.vstack([np.zeros_like(head), head]), np.append(0.0, bias)
    return Stack(entry, found.layers, found.final_norm, head, bias, found.pooling, found.pool_before_norm)


def answers(model: Classifier, data: Split) -> np.ndarray:
    """Logits (n,k) of the program on every row. Raises: DomainError."""
    require_exact()
    program = prepared(stack(model))
    return headed(program.head, pooled(program, data.x, lengths(data.x, model.pad)))
