"""HC201: the gradient fades on its way to the first layers."""

from collections.abc import Iterable
from typing import ClassVar

from hypocenter.diagnose.curve import progress
from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.norms import Gain, gains, reach
from hypocenter.diagnose.ops import op
from hypocenter.diagnose.suspects import Suspect, large_rate, weight_decay, written_at
from hypocenter.diagnose.training_rule import TrainingRule
from hypocenter.diagnose.units import SIGMOIDS, SOFTMAXES, WEAK_GAIN, feed


class VanishingGradient(TrainingRule):
    """The gradient of the first layers is a vanishing part of that of the last.

    ## What it does
    Compares ||gradient|| / ||weight|| of the first and the last weight matrix, as a median over steps, and
    reports a ratio below `RATIO` when nothing, or less than half of it, was learned. The norms of the gradients
    between the layers tell which operations shrink it: flat activations, or weights that are too small. Where the
    gradient did not fade in the first step, steps that are too large are looked for first.

    ## Why it is bad
    The first layers are trained `1 / RATIO` times slower than the last; the network learns only what its last
    layers can make of nearly unchanged features.

    ## Known problems
    Adaptive optimizers divide the gradient by its own size, so a network may train in spite of it: then nothing
    is reported. A gradient of exactly zero is reported by HC203 or HC301.

    ## Example
    ``for _ in range(10): layers += [nn.Linear(32, 32), nn.Sigmoid()]``: each sigmoid passes at most a quarter.
    Use ReLU with He initialisation, residual connections or normalisation.

    ## References
    Bengio, Simard and Frasconi, "Learning long-term dependencies with gradient descent is difficult", 1994;
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    ## Thresholds
    - RATIO: Relative gradient of the first layer over that of the last, no unit. 1e-3: at equal learning rate the
      first layer needs a thousand steps for one of the last; at He or Glorot initialisation the ratio is of
      order 1 at any depth.
    - WEAK_GAIN (`hypocenter.diagnose.units`): Gain of a linear layer below which it is its weights that shrink the
      gradient.
    """

    code = "HC201"
    name = "vanishing-gradient"
    fault: ClassVar[Fault] = "activation"
    severity: ClassVar[Severity] = "error"
    summary = "The gradient fades on its way to the first layers, which therefore hardly learn."
    explains = ("HC205", "HC303", "HC4")

    RATIO: ClassVar[float] = 1e-3

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding."""
        course, faded = progress(facts), reach(facts)
        if course is None or not course.unfinished or faded is None or 10**faded.log10 > self.RATIO:
            return
        profile = gains(facts)
        if all(gain.log10 > -0.01 for gain in profile) or weight_decay(facts):
            return
        suspect = self._later(facts) or self._shrinks(facts, profile)
        message = (
            f"the relative gradient of {faded.first!r} is {10**faded.log10:.1e} of that of {faded.last!r}, and "
            f"{course.story()}"
        )
        evidence = {"gradient_ratio": 10**faded.log10, "gains": _told(profile), **course.evidence()}
        yield self.accuse(
            suspect, message, "backward", severity="error" if course.stuck else "warning", evidence=evidence
        )

    def _later(self, facts: Facts) -> Suspect | None:
        """A learning rate that brought the weights to where the gradient fades; at the start it did not."""
        early = reach(facts, first=1)
        return large_rate(facts) if early is not None and 10**early.log10 > self.RATIO else None

    def _shrinks(self, facts: Facts, profile: list[Gain]) -> Suspect:
        flat = [gain for gain in profile if op(gain.node) in SIGMOIDS | SOFTMAXES]
        linear = [gain for gain in profile if gain.node.parameters and gain.node.kind != "normalization"]
        lost_flat, lost_linear = (sum(min(gain.log10, 0.0) for gain in part) for part in (flat, linear))
        if flat and lost_flat <= lost_linear:
            return self._flat(flat, lost_flat)
        if linear and lost_linear < 0:
            return self._linear(facts, linear)
        worst = min(profile, key=lambda gain: gain.log10)
        return Suspect(
            "architecture",
            f"{worst.node.name!r} alone passes {10**worst.log10:.1e} of it",
            place(worst.node),
            Fix("Give the gradient another way, such as a residual connection around this operation."),
            layer=worst.node.module or worst.node.name,
            confidence=0.6,
            op=worst.node.op_type,
        )

    @staticmethod
    def _flat(flat: list[Gain], lost: float) -> Suspect:
        worst = min(flat, key=lambda gain: gain.log10)
        name = worst.node.op_type
        return Suspect(
            "activation",
            f"{len(flat)} {name.lower()} activations together pass {10**lost:.1e} of it, {worst.node.name!r} "
            f"{10**worst.log10:.2g}",
            place(worst.node),
            Fix(f"Replace {name} in the hidden layers by ReLU, and initialise for it (nn.init.kaiming_normal_)."),
            layer=worst.node.module or worst.node.name,
            confidence=0.9,
            evidence={"activations": [gain.node.name for gain in flat]},
            op=name,
        )

    def _linear(self, facts: Facts, linear: list[Gain]) -> Suspect:
        worst = min(linear, key=lambda gain: gain.log10)
        about = feed(facts, worst.node)
        weak = about.gain < WEAK_GAIN
        site = (written_at(facts, about.weight) if weak else None) or place(worst.node)
        return Suspect(
            "initialization" if weak else "architecture",
            f"the weights of {worst.node.name!r} pass {10**worst.log10:.2g} of it "
            f"(gain {about.gain:.2g}, where 1 keeps the size)",
            site,
            Fix(
                "Initialise the weights for the activation: nn.init.xavier_normal_ for tanh, kaiming_normal_ for ReLU."
                if weak
                else "Add residual connections or normalisation layers, or make the network shallower."
            ),
            layer=worst.node.module or worst.node.name,
            confidence=0.85 if weak else 0.6,
            evidence={"weight": about.weight, "weight_gain": about.gain},
            op=worst.node.op_type,
        )


def _told(profile: list[Gain]) -> dict[str, float]:
    return {gain.node.name: round(10**gain.log10, 6) for gain in profile[:64]}
