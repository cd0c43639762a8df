"""From one checkpoint file, and the data if they are given, to its certificate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssm_bounds.cli.searching import Known, Search, rungs

if TYPE_CHECKING:
    from bounds.margin_pac_bayes import Family
    from bounds.rung import Certificate, Setting, Tally
    from models.checkpoint import Checkpoint, Metadata
    from models.tasks.task import Task
    from models.weights import Weights
    from ssm_bounds.report.document import Subject


def report(
    path: Path,
    *,
    m: int | None,
    T: int | None,
    delta: Fraction | None,
    loss: str,
    margin: Fraction | str,
    clip: Fraction | None,
    inputs: str,
    embedding: str | None,
    gate: str | None,
    input_bound: Fraction | None,
    data: Path | None,
    test: Path | None,
    **searched: Any,
) -> tuple[Certificate, Subject]:
    """From one file to its certificate; ``searched``: the fields of a ``Search``. Raises: ValueError, OSError."""
    from dataclasses import replace

    from bounds import ladder, losses
    from bounds.constants import DomainError, Sample
    from bounds.enclose import Enclosure
    from bounds.rung import with_rungs
    from models.checkpoint import read
    from models.norms import measure
    from models.tasks.files import read_task
    from models.tasks.shift import shift
    from ssm_bounds.report.document import Subject

    if margin == "auto" and data is None:
        raise DomainError("--margin auto chooses the margin from the training data: give --data, or a number")
    if test is not None and data is None:
        raise DomainError("--test FILE goes with --data FILE")
    checkpoint = read(path)
    recorded = checkpoint.metadata
    if delta is None:
        delta = _recorded_delta(recorded)
    sample = Sample(_stated("m", m, recorded.m), _stated("T", T, recorded.T, at_least=True))
    notes, conditions = [], []
    if gate is not None and recorded.gate not in (None, gate):
        raise DomainError(f"--gate {gate} contradicts the file, which records gate {recorded.gate}")
    chosen_gate = gate or recorded.gate or "softplus"
    if gate is None and recorded.gate is None:
        conditions.append("the gate is softplus (the file does not record it: say --gate softplus or none)")
    shifted = recorded.extra.get("shift")
    if shifted is None and recorded.extra.get("paper_noise", "0") not in ("0", "0.0"):
        shifted = "ones of the training set were flipped after labelling"
    if shifted is not None:
        notes.append(f"{shifted}: the risk is under that distribution")
    kind, evidence = _embedding(checkpoint, embedding)
    weights = checkpoint.weights
    if (input_bound is None) == (kind == "none"):
        raise DomainError(
            "real-valued inputs need a bound on |u_t| stated before the data: give --input-bound B"
            if kind == "none"
            else "--input-bound is for real-valued inputs; this model's embedding gives B_u"
        )
    bound = None if input_bound is None else Enclosure.point(input_bound).float_upper()
    measured = measure(
        weights,
        gate=chosen_gate,  # type: ignore[arg-type]
        input_bound=bound,
        vocabulary=inputs == "vocabulary",
    )
    if kind == "none" and inputs == "vocabulary":
        raise DomainError("--inputs vocabulary needs an embedding: this model has real-valued inputs")
    if kind == "fixed" and recorded.embedding == "trained":
        notes.append("the file records that the embedding was trained")
    g: Any = 1 if margin == "auto" else _simplest(margin)  # type: ignore[arg-type]
    setting = ladder.Setting(
        measured,
        sample,
        losses.make(loss, margin=g, clip=clip and _simplest(clip)),
        g,
        delta,
        inputs == "vocabulary",
        kind,  # type: ignore[arg-type]
        evidence,  # type: ignore[arg-type]
        tuple(conditions),
        shifted is not None,
    )
    subject = Subject(str(path), checkpoint.format, checkpoint.sha256, recorded.convention or "code", tuple(notes))
    if data is None:
        return ladder.certify(setting, family=_family(weights, setting, bound)), subject
    of_data: tuple[str, ...] = ()
    if data.suffix == ".tsv":
        of_data = ("the length to which rows are padded, that of the longest of their file, was fixed before the data",)
        setting = replace(setting, conditions=(*setting.conditions, *of_data))
    task = read_task(data, test)
    if not setting.shifted:
        note = None if task.shift is None else f"{task.shift}: the risk is under that distribution"
        if note is None and task.test is not None and (sign := shift(task.train, task.test)) is not None:
            note = f"training and test rows are not of one distribution: {sign} (chance below 0.001)"
        if note is not None:
            setting, subject = replace(setting, shifted=True), replace(subject, notes=(*subject.notes, note))
    setting, train, tested = _evaluate(checkpoint, setting, subject, task, test or data, auto=margin == "auto")
    certificate = ladder.certify(setting, train=train, test=tested, family=_family(weights, setting, bound))
    known = Known(checkpoint, task, setting.measured.gate, subject.convention, delta, sample.T, of_data)  # type: ignore[arg-type]
    return with_rungs(certificate, rungs(Search(**searched), known)), subject


def _family(weights: Weights, setting: Setting, input_bound: float | None) -> Family:
    """What the rung of theory.md 8.3 needs of the weights."""
    from bounds.margin_pac_bayes import fit

    return fit(
        weights,
        gate=setting.measured.gate,
        T=setting.sample.T,
        g=setting.margin,
        embedding_in_class=setting.in_class,
        input_bound=input_bound,
    )


def _recorded_delta(recorded: Metadata) -> Fraction:
    """That at which a rounded model was certified, so that certifying it again prints the same number; else 1/20."""
    from bounds.constants import DomainError

    if recorded.occam is None:
        return Fraction(1, 20)
    try:
        delta = Fraction(recorded.occam["delta"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise DomainError("the record of the code lacks its delta: give --delta, or round the model again") from None
    if not 0 < delta < 1:
        raise DomainError(f"the record of the code has delta = {delta}: give --delta, or round the model again")
    return delta


def _stated(name: str, flag: int | None, recorded: int | None, *, at_least: bool = False) -> int:
    """The flag or the file's record; a flag may not contradict the record (T may exceed it)."""
    from bounds.constants import DomainError

    if flag is None and recorded is None:
        raise DomainError(f"the file does not record {name}: give --{name}")
    if flag is None or recorded is None:
        return flag or recorded  # type: ignore[return-value]
    if flag != recorded and not (at_least and flag > recorded):
        raise DomainError(f"--{name} {flag} contradicts the file, which records {name} = {recorded}")
    return flag


def _embedding(checkpoint: Checkpoint, flag: str | None) -> tuple[str, str]:
    """Whether the embedding is in the class, and who vouches for a fixed one."""
    from bounds.constants import DomainError

    recorded = checkpoint.metadata.embedding
    if checkpoint.weights.V is None:
        if flag is not None:
            raise DomainError(f"--embedding {flag}: this model has real-valued inputs and no embedding")
        return "none", "recorded"
    if flag is None:
        kind = "trained" if recorded == "trained" else "fixed"
        return kind, "recorded" if recorded is not None else "assumed"
    return flag, "recorded" if recorded == flag else "stated"


def _simplest(value: Fraction) -> int | Fraction:
    return int(value) if value.denominator == 1 else value


def _evaluate(
    checkpoint: Checkpoint, setting: Setting, subject: Subject, task: Task, source: Path, *, auto: bool
) -> tuple[Setting, Tally, Tally | None]:
    """What the model scores on the data, in float64; with ``auto`` also the margin it chooses."""
    from dataclasses import replace

    import numpy as np

    from bounds import ladder, losses
    from bounds.constants import DomainError
    from models.evaluate import logits
    from models.selective_ssm import SelectiveSSM

    model = SelectiveSSM.from_weights(
        checkpoint.weights,
        gate=setting.measured.gate,
        convention=subject.convention,  # type: ignore[arg-type]
    )
    scored = {}
    for name, split in (("train", task.train), ("test", task.test)):
        if split is None:
            continue
        longest = split.T - (subject.convention == "paper")
        if longest > setting.sample.T:
            raise DomainError(f"{source}: the {name} sequences have length {longest}, above T = {setting.sample.T}")
        if checkpoint.weights.V is None:
            largest = float(np.sqrt((split.x.astype(float) ** 2).sum(axis=-1)).max())
            if largest > setting.measured.B_u:
                raise DomainError(
                    f"{source}: the {name} inputs reach norm {largest:g}, "
                    f"above --input-bound {float(setting.measured.B_u):g}"
                )
        scored[name] = (logits(model, split), split.y)
    if task.test is not None and np.array_equal(task.train.x, task.test.x):
        raise DomainError(f"{source}: the test rows are the training rows; a hold-out needs fresh ones")
    z, y = scored["train"]
    if auto:
        g = ladder.choose_margin(setting, losses.margins(z, y))
        setting = replace(setting, margin=g, loss=losses.make(setting.loss.name, margin=g, clip=setting.loss.range))
    tallies = {name: tally(setting, *pair) for name, pair in scored.items()}
    return setting, tallies["train"], tallies.get("test")


def tally(setting: Setting, z: Any, y: Any) -> Tally:
    from bounds import ladder, losses
    from bounds.blocks import coefficients

    margins = losses.margins(z, y)
    # rounding of the float64 forward pass must not hide a margin error: outputs are sums of terms of size up to Z
    largest = coefficients(setting.measured_class(), setting.sample.T)["w"].float_upper() * float(setting.measured.B_w)
    slack = 1e-9 * (1.0 + float(abs(z).max())) + 1e-12 * largest
    return ladder.Tally(
        len(y),
        float(setting.loss.values(z, y).mean()),
        int((~(margins > slack)).sum()),
        int((~(margins > float(setting.margin) + slack)).sum()),
    )
