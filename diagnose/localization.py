"""From the first harm to its origin: the first place in dataflow order where good values give a bad one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from hypocenter.diagnose.harm import Harm, first_harm
from hypocenter.diagnose.moment import Moment
from hypocenter.diagnose.ops import op
from hypocenter.ir.graph import Layer

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

Where = Literal["input", "forward", "backward", "update", "initial"]

#: Operations whose derivative is infinite or undefined somewhere inside their domain or at its edge.
SINGULAR: Final = frozenset(
    {"sqrt", "rsqrt", "pow", "norm", "log", "log2", "log10", "log1p", "div", "rdiv", "reciprocal", "acos", "asin"}
    | {"atan2", "atanh", "acosh", "std", "var", "prod", "cumprod", "xlogy", "logit", "cdist", "dist", "linalgsvd"}
    | {"linalgeigh", "svd", "logsumexp", "erfinv", "exp"}
)


@dataclass(frozen=True)
class Origin:
    """Where values turned bad.

    Args:
        where: The part of the training step; `initial` means weights that were bad before the first update.
        subject: The value or parameter that turned bad (in `backward`: whose gradient did).
        node: The node that did it; None for input data and updates of a parameter that no node uses.
        moment: The pass in which it happened.
        harm: The harm by which it was found.
    """

    where: Where
    subject: str
    node: Layer | None
    moment: Moment
    harm: Harm

    @property
    def step(self) -> int:
        """Training steps completed before."""
        return self.moment.step


def origin_of(facts: "Facts") -> Origin | None:
    """The origin of the first harm of a run; None when non-finite numbers did no harm."""
    harm = first_harm(facts)
    return None if harm is None else locate(facts, harm)


def locate(facts: "Facts", harm: Harm) -> Origin:
    """The origin of a harm."""
    moment = Moment(facts, harm.step, harm.call, training=harm.training)
    if harm.place == "gradient":
        return _forward_first(moment, harm) or _backward(moment, harm)
    if harm.place == "update":
        return Origin("update", harm.subject, facts.parameter_layer.get(harm.subject), moment, harm)
    if harm.place == "weight":
        return _weights(facts, moment, harm)
    return _forward(moment, harm)


def _weights(facts: "Facts", moment: Moment, harm: Harm) -> Origin:
    node = facts.parameter_layer.get(harm.subject)
    before = facts.weights[harm.subject].until(harm.step)
    if not len(before) and harm.step == 0:
        return Origin("initial", harm.subject, node, moment, harm)
    last = int(before.step[-1]) if len(before) else harm.step - 1
    return Origin("update", harm.subject, node, Moment(facts, last), harm)


def _forward(moment: Moment, harm: Harm) -> Origin:
    """Upstream from the harmed value through bad values only; the earliest node whose inputs are good."""
    flow = moment.flow
    outside: list[str] = []
    nodes: dict[str, Layer] = {}
    waiting, seen = list(flow.origins(harm.subject)) or [harm.subject], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        node = flow.find(name)
        sources = () if node is None else moment.bad_feeds(node)
        if node is None and flow.ir.has_value(name):
            outside.append(name)
        elif node is not None and not sources:
            nodes[node.name] = node
        waiting.extend(sources)
    known = [name for name in outside if moment.value(name).known]
    if known:
        return _outside(moment, harm, known[0])
    if nodes:
        first = min(nodes.values(), key=lambda node: flow.order[node.name])
        blind = moment.repeated(first) or not any(stats.known for stats in moment.feeds(first))
        return _earliest(moment, harm) or _at(first, moment, harm) if blind else _at(first, moment, harm)
    return _earliest(moment, harm) or Origin("forward", harm.subject, flow.find(harm.subject), moment, harm)


def _at(node: Layer, moment: Moment, harm: Harm) -> Origin:
    return Origin("forward", moment.output(node).name, node, moment, harm)


def _outside(moment: Moment, harm: Harm, name: str) -> Origin:
    """A bad value that no node made: data, or a parameter whose update was not seen."""
    facts = moment.facts
    if name not in facts.weights:
        readers = moment.flow.consumers(name)
        return Origin("input", name, readers[0] if readers else None, moment, harm)
    return _weights(facts, moment, harm if harm.subject == name else _retold(harm, name))


def _retold(harm: Harm, name: str) -> Harm:
    return Harm("weight", harm.step, name, harm.call, harm.training, harm.severity, harm.text)


def _earliest(moment: Moment, harm: Harm) -> Origin | None:
    """The first node of the pass with a bad output and good inputs, for a harm that the graph does not lead to."""
    for node in moment.flow.layers:
        turned = any(moment.bad(name) for name in node.outputs) and not moment.bad_feeds(node)
        if turned and not moment.repeated(node):
            return _at(node, moment, harm)
    return None


def _forward_first(moment: Moment, harm: Harm) -> Origin | None:
    """A bad gradient in a pass whose loss was already bad (recorded without a LOSS row) has its origin there."""
    losses = [name for name, rows in moment.facts.loss_rows.items() if np.any(rows.at(moment.step).nonfinite > 0)]
    if not losses:
        return None
    return _forward(moment, Harm("loss", harm.step, losses[0], harm.call, True, harm.severity, harm.text))


def _backward(moment: Moment, harm: Harm) -> Origin:
    """The node, last in execution order, whose own gradient is good and that gives a bad one to an input."""
    flow = moment.flow
    found: list[tuple[int, Layer, str]] = []
    names = [name for name, rows in moment.facts.backward.items() if np.any(rows.at(moment.step).nonfinite > 0)]
    for name in names:
        readers = flow.consumers(name)
        if any(moment.bad_gradient(output) for node in readers for output in node.outputs):
            continue
        singular = [node for node in readers if op(node) in SINGULAR] or list(readers)
        if singular:
            found.append((flow.order[singular[-1].name], singular[-1], name))
    for name in moment.facts.gradients:
        readers = flow.ir.consumers(name) if moment.bad_gradient(name) else ()
        clean = [node for node in readers if not any(moment.bad_gradient(output) for output in node.outputs)]
        found.extend((flow.order[node.name], node, name) for node in clean)
    if not found:
        return Origin("backward", harm.subject, moment.facts.parameter_layer.get(harm.subject), moment, harm)
    _, node, name = max(found, key=lambda item: item[0])
    return Origin("backward", name, node, moment, harm)
