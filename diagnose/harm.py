"""Where non-finite numbers do harm: in the loss, in weights, in gradients that reached weights, in predictions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from hypocenter.diagnose.finding import Severity
from hypocenter.diagnose.moment import Moment
from hypocenter.diagnose.tensors import Series

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

Place = Literal["weight", "prediction", "loss", "gradient", "update"]

#: Order of events within one step; predictions without gradients are made before the step that bears their number.
_ORDER: Final[dict[Place, float]] = {"prediction": 0, "weight": 1, "loss": 3, "gradient": 4, "update": 5}

#: A NaN loss that never reached the weights is an error from this share of the training steps on; a convention:
#: one lost step in ten is no longer an accident.
LOST_STEPS: Final = 0.1


@dataclass(frozen=True)
class Harm:
    """The first harm that non-finite numbers did.

    Args:
        place: What went bad.
        step: Training steps completed before.
        subject: Name of the value or parameter.
        call: Which forward pass of the step.
        training: Whether the pass was one of training.
        severity: `error` unless training went on unharmed.
        text: What happened, to be put into a sentence: `the loss became NaN at step 12`.
    """

    place: Place
    step: int
    subject: str
    call: int | None
    training: bool
    severity: Severity
    text: str

    @property
    def order(self) -> tuple[int, float]:
        """Sorts harms by time."""
        return self.step, _ORDER[self.place] if self.training else 0


def first_harm(facts: "Facts") -> Harm | None:
    """The earliest harm in a run, or None."""
    return min(
        (harm for find in _FINDERS for harm in find(facts)),
        key=lambda harm: harm.order,
        default=None,
    )


def _word(rows: Series, place: int) -> str:
    return "NaN" if rows["nan"][place] else ("inf" if rows["posinf"][place] else "-inf")


def _first_bad(rows: Series) -> int | None:
    bad = np.flatnonzero(rows.nonfinite > 0)
    return int(bad[0]) if len(bad) else None


def _losses(facts: "Facts") -> Iterator[Harm]:
    for name, rows in facts.loss_rows.items():
        place = _first_bad(rows)
        if place is None:
            continue
        step = int(rows.step[place])
        if _scaled_away(facts, rows):
            continue
        lost = np.count_nonzero(rows.nonfinite) / len(rows)
        recovered = rows.nonfinite[-1] == 0 and not _bad_parameters(facts)
        severity: Severity = "warning" if recovered and lost < LOST_STEPS else "error"
        text = f"the loss became {_word(rows, place)} at step {step}"
        if recovered:
            count = f"{np.count_nonzero(rows.nonfinite)} of {len(rows)} steps"
            text = f"the loss was not finite in {count}, first at step {step}"
        yield Harm("loss", step, name, int(rows.call[place]), True, severity, text)


def _scaled_away(facts: "Facts", rows: Series) -> bool:
    """Whether only the scaling of the loss overflowed: inf, every layer finite, weights kept; GradScaler's business."""
    if not facts.events("grad_scaler") or np.any(rows["nan"] > 0) or _bad_parameters(facts):
        return False
    steps = set(rows.step[rows.nonfinite > 0].tolist())
    scaled = {rows.subject}
    return rows.nonfinite[-1] == 0 and not any(
        steps.intersection(values.step[values.nonfinite > 0].tolist())
        for name, values in facts.forward.items()
        if name not in scaled
    )


def _bad_parameters(facts: "Facts") -> bool:
    return any(np.any(rows.nonfinite > 0) for series in (facts.weights, facts.updates) for rows in series.values())


def _parameters(facts: "Facts") -> Iterator[Harm]:
    for name, rows in facts.weights.items():
        place = _first_bad(rows)
        if place is not None:
            text = f"the weights {name!r} were {_word(rows, place)} at step {rows.step[place]}"
            yield Harm("weight", int(rows.step[place]), name, None, True, "error", text)
    for name, rows in facts.updates.items():
        place = _first_bad(rows)
        if place is not None:
            text = f"the update of {name!r} was {_word(rows, place)} at step {rows.step[place]}"
            yield Harm("update", int(rows.step[place]), name, None, True, "error", text)
    for name, rows in facts.gradients.items():
        reached = [
            place for place in np.flatnonzero(rows.nonfinite > 0) if _reached(facts, name, int(rows.step[place]))
        ]
        if reached:
            place = int(reached[0])
            step = int(rows.step[place])
            text = f"the gradient of {name!r} became {_word(rows, place)} at step {step} and reached the weights"
            yield Harm("gradient", step, name, None, True, "error", text)


def _reached(facts: "Facts", name: str, step: int) -> bool:
    """Whether a bad gradient changed its weights: told by the update, else by the weights of the next step seen.

    Where neither was recorded the run ended there; a GradScaler would have skipped the step, anything else not.
    """
    update = facts.updates.get(name)
    rows = None if update is None else update.at(step)
    if rows is not None and len(rows):
        return bool(rows.nonfinite[-1] > 0)
    weights = facts.weights.get(name)
    later = None if weights is None else weights.take(weights.step > step)
    if later is not None and len(later):
        return bool(later.nonfinite[0] > 0)
    return not facts.events("grad_scaler")


def _predictions(facts: "Facts") -> Iterator[Harm]:
    """NaN or inf in what the model returns: without gradients, or in a training pass that never got to its loss."""
    with_loss = {step for rows in facts.loss_rows.values() for step in rows.step.tolist()}
    names = [name for output in facts.run.ir.outputs for name in facts.flow.origins(output)]
    for name in dict.fromkeys(names):
        for training, series in ((False, facts.inference.get(name)), (True, facts.forward.get(name))):
            if series is None:
                continue
            bad = series["nan"] + series["posinf"] > 0
            for place in np.flatnonzero(~bad & (series["neginf"] > 0))[:1]:  # -inf that is no mask
                moment = Moment(facts, int(series.step[place]), int(series.call[place]), training=training)
                bad[place] = not moment.masked(name)
            if training:
                bad &= ~np.isin(series.step, list(with_loss))
            for place in np.flatnonzero(bad)[:1]:
                step = int(series.step[place])
                when = f"at step {step}" if facts.trained else "in inference"
                text = f"the model's output {name!r} had {_word(series, int(place))} {when}"
                severity: Severity = "error" if series["nan"][place] + series["posinf"][place] else "warning"
                yield Harm("prediction", step, name, int(series.call[place]), training, severity, text)


def _abandoned(facts: "Facts") -> Iterator[Harm]:
    """A bad loss on which backward was never called: the program looked at it and stopped, or left the step out."""
    for name in _loss_names(facts):
        series, used = facts.forward.get(name), facts.loss_rows.get(name)
        if series is None:
            continue
        steps = [] if used is None else used.step.tolist()
        lost = np.flatnonzero((series.nonfinite > 0) & ~np.isin(series.step, steps))
        if not len(lost):
            continue
        step, word = int(series.step[lost[0]]), _word(series, int(lost[0]))
        went_on = used is not None and bool(np.any(used.step > series.step[lost[-1]]))
        rare = went_on and len(lost) / len(series) < LOST_STEPS
        text = f"the loss became {word} at step {step}, and backward was not called on it"
        yield Harm("loss", step, name, int(series.call[lost[0]]), True, "warning" if rare else "error", text)


def _loss_names(facts: "Facts") -> list[str]:
    """Values on which backward was called.

    Where it never was, and the program raised: scalars behind the model that nothing uses further. A NaN among them
    that did not stop the program may be a metric such as the precision of no predictions, and does no harm.
    """
    names = dict.fromkeys(facts.loss_rows)
    if names or facts.event("end").get("ended") != "raised":
        return list(names)
    for name in facts.flow.after_model:
        value = facts.run.ir.node(name).outputs[0]
        rows = facts.forward.get(value)
        if rows is not None and len(rows) and rows["count"][0] == 1 and not facts.run.ir.consumers(value):
            names.setdefault(value)
    return list(names)


def _stopped(facts: "Facts") -> Iterator[Harm]:
    """A bad gradient in the step at which the program raised, as anomaly detection and strict clipping make it do."""
    if facts.event("end").get("ended") != "raised" or not facts.recorded:
        return
    last = int(facts.run.trace.steps[-1])
    for name, series in (*facts.backward.items(), *facts.gradients.items()):
        rows = series.at(last)
        place = _first_bad(rows)
        if place is not None:
            text = f"the gradient of {name!r} became {_word(rows, place)} at step {last}, where the program stopped"
            yield Harm("gradient", last, name, None, True, "error", text)
            return


_FINDERS: Final = (_losses, _parameters, _predictions, _abandoned, _stopped)
