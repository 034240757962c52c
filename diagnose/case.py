"""What a reason is worked out from, and what it says."""

from dataclasses import dataclass
from functools import cached_property

from hypocenter.diagnose.finding import Edit, Fault, Fix
from hypocenter.diagnose.localization import Origin
from hypocenter.diagnose.moment import Moment
from hypocenter.diagnose.ops import op, scalar
from hypocenter.diagnose.stats import Stats
from hypocenter.ir.graph import Layer
from hypocenter.ir.site import Site


@dataclass(frozen=True)
class Reason:
    """Why an operation gave a bad value.

    Args:
        slug: Kebab-case name of the reason, stable; stands in the finding's evidence.
        text: A clause with the numbers that can follow the operation's name and a colon.
        fix: One imperative sentence.
        fault: What the programmer did.
        confidence: 0 to 1.
        edit: The exact change, where the source line permits it.
        site: The line to act on, where it is another than the operation's.
    """

    slug: str
    text: str
    fix: str
    fault: Fault = "numerics"
    confidence: float = 0.9
    edit: Edit | None = None
    site: Site | None = None

    def to_fix(self) -> Fix:
        """The fix of a finding."""
        return Fix(self.fix, self.edit)


@dataclass(frozen=True)
class Case:
    """An operation at which values turned bad, with what went in and out.

    Args:
        origin: Where and when.
        node: The operation.
    """

    origin: Origin
    node: Layer

    @property
    def op(self) -> str:
        """The operation's name as in `diagnose.ops`."""
        return op(self.node)

    @property
    def moment(self) -> Moment:
        """The pass in which it happened."""
        return self.origin.moment

    @property
    def backward(self) -> bool:
        """Whether it is the gradient that went bad."""
        return self.origin.where == "backward"

    @cached_property
    def data(self) -> tuple[Stats, ...]:
        """The values that went in, in order, parameters left out."""
        return tuple(self.moment.value(name) for name in self.moment.flow.inputs(self.node))

    @cached_property
    def feeds(self) -> tuple[Stats, ...]:
        """Everything that went in, parameters last."""
        return self.moment.feeds(self.node)

    @cached_property
    def input(self) -> Stats:
        """The first recorded value that went in, or an unknown one."""
        return next((stats for stats in self.data if stats.known), Stats("its input"))

    @cached_property
    def output(self) -> Stats:
        """What came out."""
        return self.moment.output(self.node)

    @property
    def largest_input(self) -> Stats:
        """The value or parameter of the largest magnitude that went in."""
        return max(self.feeds, key=lambda stats: stats["absmax"], default=self.input)

    def scalar(self, *names: str) -> float | None:
        """A number among the node's attributes."""
        return scalar(self.node, *names)

    @property
    def tiny(self) -> float:
        """A small number that the value's format can hold: 1e-8, or 1e-4 for float16 (its smallest normal is 6e-5)."""
        return 1e-4 if "float16" in (self.input.dtype, self.output.dtype) else 1e-8

    @property
    def site(self) -> Site | None:
        """The user's own line of the operation."""
        return self.node.user
