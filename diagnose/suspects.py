"""Causes that several symptoms can have, each with the evidence by which it is told.

A rule that has seen a symptom asks for the suspect; a suspect alone accuses nobody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.finding import Edit, Fault, Fix
from hypocenter.diagnose.norms import matrices, peak_ratio
from hypocenter.diagnose.ops import op, scalar
from hypocenter.diagnose.optimizers import Optimizer
from hypocenter.diagnose.stats import number
from hypocenter.ir.site import Site

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

#: ||update|| / ||weight|| of a step from which a weight matrix is thrown about rather than adjusted, no unit. 1e-3 is
#: usual (Karpathy, CS231n notes on babysitting the learning process); two orders of magnitude more is 0.1.
LARGE_RATIO: Final = 0.1
#: Steps that tell the size of updates before the weights have grown to fit them. 20: a convention.
FIRST_STEPS: Final = 20
#: Learning rate over the largest usual one from which it is beyond the usual. 1.01: equal up to rounding is usual.
EXCESS: Final = 1.01
#: Momentum from which SGD averages over 1/(1-m) = 1000 steps and so swings; 0.9 to 0.99 are usual (Sutskever et al.,
#: "On the importance of initialization and momentum in deep learning", 2013).
LARGE_MOMENTUM: Final = 0.999
#: lr * weight_decay * steps from which decay alone shrinks weights to e^-3 = 5 %; no unit.
DECAYED: Final = 3.0
#: Share of values that dropout must leave out to be suspected, from the 0.5 and at most 0.8 that are usual
#: (Srivastava et al., "Dropout", 2014): one value in ten left.
LARGE_DROPOUT: Final = 0.9
#: Root mean square from which inputs are unscaled; standardised data have 1, bytes / 255 less. 10: a convention.
LARGE_INPUT: Final = 10.0

#: Adaptive optimizers that add the weight decay to the gradient before they divide it by its size.
COUPLED: Final = frozenset({"Adadelta", "Adagrad", "Adam", "Adamax", "NAdam", "RAdam", "RMSprop"})

_DROPOUTS: Final = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d", "alphadropout", "featuredropout"})


@dataclass(frozen=True)
class Suspect:
    """A cause and where it stands.

    Args:
        fault: What the programmer did.
        why: A clause that can follow a colon, with the numbers.
        location: The line to act on.
        fix: What to do.
        layer: The layer, when it is one.
        confidence: 0 to 1.
        evidence: JSON-ready numbers.
        op: Op type of the layer.
    """

    fault: Fault
    why: str
    location: Site | None
    fix: Fix
    layer: str | None = None
    confidence: float = 0.8
    evidence: Mapping[str, Any] = field(default_factory=dict)
    op: str | None = None


def replaced(site: Site | None, old: str | None, new: str) -> Edit | None:
    """The edit that puts `new` at a site whose text is the number `old`; None where it is a name or unknown."""
    if site is None or site.column is None or site.end_column is None or site.snippet is None or site.library:
        return None
    text = site.snippet[site.column - 1 : site.end_column - 1]
    try:
        float(text)
    except ValueError:
        return None
    return None if old is not None and text != old else Edit(site.file, site.line, text, new)


def steepest(facts: "Facts") -> Optimizer | None:
    """The optimizer whose learning rate is largest relative to what is usual for it."""
    known = [optimizer for optimizer in facts.optimizers if optimizer.lr]
    return max(known, key=lambda optimizer: (optimizer.lr or 0.0) / optimizer.usual_maximum, default=None)


def first_ratio(facts: "Facts") -> float:
    """The largest update ratio of the first steps; see `norms.peak_ratio`."""
    return peak_ratio(facts, FIRST_STEPS)


def large_rate(facts: "Facts") -> Suspect | None:
    """A learning rate whose first updates are as large as a tenth of the weights, or beyond the usual and a tenth
    of that."""
    optimizer = steepest(facts)
    if optimizer is None or optimizer.lr is None:
        return None
    ratio = first_ratio(facts)
    excess = optimizer.lr / optimizer.usual_maximum
    beyond = excess > EXCESS
    if ratio < (LARGE_RATIO / 10 if beyond else LARGE_RATIO):
        return None
    if not beyond and optimizer.name == "SGD" and unscaled(facts):
        return None  # SGD's steps grow with the inputs; those of adaptive optimizers do not
    why = (
        f"the learning rate of {optimizer.name} is {optimizer.lr:g}, and its first steps changed the weights by up to "
    )
    why += f"{ratio:.2g} of their size"
    text = f"Lower the learning rate of {optimizer.name} from {optimizer.lr:g} to about {optimizer.usual:g}."
    if not beyond:
        text = f"Lower the learning rate of {optimizer.name} below {optimizer.lr:g}, or clip the gradients."
    site = optimizer.where("lr")
    return Suspect(
        "learning_rate",
        why,
        site,
        Fix(text, replaced(site, None, f"{optimizer.usual:g}") if beyond else None),
        confidence=0.9 if beyond and ratio >= LARGE_RATIO else 0.75,
        evidence={"learning_rate": optimizer.lr, "usual_maximum": optimizer.usual_maximum, "update_ratio": ratio},
    )


def momentum(facts: "Facts") -> Suspect | None:
    """A momentum so near 1 that nothing brakes the weights."""
    for optimizer in facts.optimizers:
        value = optimizer.setting("momentum")
        if value is not None and value >= LARGE_MOMENTUM:
            site = optimizer.where("momentum")
            return Suspect(
                "optimizer",
                f"the momentum of {optimizer.name} is {value:g}, an average over {1 / max(1 - value, 1e-12):.3g} steps",
                site,
                Fix("Lower the momentum to 0.9.", replaced(site, None, "0.9")),
                confidence=0.9,
                evidence={"momentum": value},
            )
    return None


def maximized(facts: "Facts") -> Suspect | None:
    """An optimizer that climbs."""
    for optimizer in facts.optimizers:
        if any(group.get("maximize") is True for group in optimizer.groups):
            return Suspect(
                "optimizer",
                f"{optimizer.name} maximizes the loss",
                optimizer.where("maximize"),
                Fix("Remove maximize=True, or maximize an objective that should be large."),
                confidence=0.99,
                evidence={"maximize": True},
            )
    return None


def weight_decay(facts: "Facts") -> Suspect | None:
    """A decay that alone shrinks the weights to nothing, in weights that did shrink."""
    for optimizer in facts.optimizers:
        decay, rate = optimizer.setting("weight_decay"), optimizer.lr
        if not decay or not rate:
            continue
        if rate * decay * facts.steps < DECAYED and not _decay_leads(facts, optimizer, decay):
            continue
        kept = [float(rows.norm[-1] / rows.norm[0]) for name in matrices(facts) if _grown(rows := facts.weights[name])]
        if not kept or float(np.median(kept)) > np.exp(-DECAYED):
            continue
        site = optimizer.where("weight_decay")
        return Suspect(
            "regularization",
            f"the weight decay of {decay:g} has shrunk the weights to {np.median(kept):.1g} of their first size",
            site,
            Fix(
                f"Lower the weight decay of {optimizer.name} from {decay:g} to 0.01 or less.",
                replaced(site, None, "0.01"),
            ),
            confidence=0.9,
            evidence={"weight_decay": decay, "learning_rate": rate, "weights_kept": float(np.median(kept))},
        )
    return None


def _decay_leads(facts: "Facts", optimizer: Optimizer, decay: float) -> bool:
    """Whether the decay that an adaptive optimizer adds to the gradient outweighs the loss's own part at the start.

    Such an optimizer divides the sum by its size, so that the weights shrink by the learning rate per step, however
    small the decay is; AdamW and its kin keep the two apart (Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2019).
    """
    if optimizer.name not in COUPLED or optimizer.setting("decoupled_weight_decay"):
        return False
    parts = [
        decay * float(facts.weights[name].norm[0]) / max(float(np.median(rows.norm[:FIRST_STEPS])), 1e-30)
        for name in matrices(facts)
        if (rows := facts.gradients.get(name)) is not None and len(rows)
    ]
    return bool(parts) and float(np.median(parts)) > 1.0


def _grown(rows: Any) -> bool:
    return len(rows) > 1 and float(rows.norm[0]) > 0.0


def dropout(facts: "Facts") -> Suspect | None:
    """A dropout that leaves next to nothing."""
    for node in facts.layers:
        share = scalar(node, "p") if op(node) in _DROPOUTS else None
        rows = facts.forward.get(node.name)
        if share is None or share < LARGE_DROPOUT or rows is None or not len(rows):
            continue
        zeros = float(np.median(rows.zero_share))
        if zeros >= LARGE_DROPOUT:
            return Suspect(
                "regularization",
                f"{node.name!r} drops {share:.3g} of its values, and {zeros:.3g} of its outputs were zero",
                place(node),
                Fix("Lower the dropout probability to 0.5 or less (p is the share that is left out, not kept)."),
                layer=node.module or node.name,
                confidence=0.9,
                evidence={"dropout": share, "zeros": zeros},
                op=node.op_type,
            )
    return None


def frozen(facts: "Facts") -> Suspect | None:
    """Weight matrices that are all frozen while biases or scales are trained."""
    trained = {name for event in facts.events("model") for name in event.get("trainable_names") or ()}
    shapes = {value.name: value.shape or () for value in facts.run.ir.inputs if value.kind == "parameter"}
    wide = [name for name, shape in shapes.items() if len(shape) >= 2]
    small = [name for name in shapes if name in trained]
    if not small or len(wide) < 2 or any(name in trained for name in wide) or not facts.optimizers:
        return None
    return Suspect(
        "training_loop",
        f"all {len(wide)} weight matrices are frozen (requires_grad is False); only {len(small)} biases or scales "
        "learn",
        facts.optimizers[0].site,
        Fix("Set requires_grad to True for the weights that should learn, before the optimizer is made."),
        confidence=0.85,
        evidence={"frozen": wide[:16], "trained": small[:16]},
    )


def unscaled(facts: "Facts") -> Suspect | None:
    """Model inputs far larger than what initial weights are made for."""
    for name, rows in facts.inputs.items():
        if not len(rows):
            continue
        size = float(np.median(rows.rms))
        readers = facts.flow.consumers(name)
        if size < LARGE_INPUT or not readers:
            continue
        return Suspect(
            "normalization",
            f"the input {name!r} is not scaled: root mean square {number(size)}, largest value "
            f"{number(float(rows['absmax'].max()))}",
            input_site(facts, name),
            Fix("Scale the inputs to mean 0 and standard deviation 1 per feature before they reach the model."),
            confidence=0.85,
            evidence={"input": name, "input_rms": size, "input_absmax": float(rows["absmax"].max())},
        )
    return None


def input_site(facts: "Facts", name: str) -> Site | None:
    """The line that hands an input to the model where it is known, else the first operation on it."""
    for event in facts.events("data"):
        if event.get("subject") == name and event.get("site"):
            return Site.from_dict(event["site"])
    readers = facts.flow.consumers(name)
    return readers[0].user or place(readers[0]) if readers else None


def written_at(facts: "Facts", parameter: str | None) -> Site | None:
    """The line that last set a parameter before training; None where it was not seen."""
    for event in reversed(facts.events("written")):
        if event.get("parameter") == parameter and event.get("site"):
            return Site.from_dict(event["site"])
    return None


def settings(facts: "Facts") -> Iterator[Suspect]:
    """The suspects that explain why nothing is learned, most certain first."""
    for find in (maximized, weight_decay, dropout, momentum, frozen, large_rate, unscaled):
        suspect = find(facts)
        if suspect is not None:
            yield suspect
