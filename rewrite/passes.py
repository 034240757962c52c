"""What every pass states and the base class checks.

A pass is a verb. It says as `requires` what must hold of the graph that it gets, and as `ensures` what holds of the
one that it returns; the graph it gets is never changed. When a condition fails, the error says which of two things
is to be changed: what came before, or the condition.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from hypocenter.errors import HypocenterError
from hypocenter.ir.graph import IR
from hypocenter.ir.verify import violations
from hypocenter.rewrite.rewriter import Edit, Rewriter


class PassError(HypocenterError):
    """A pass was given, or has made, a graph that its conditions exclude."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that holds of a graph.

    Args:
        text: The condition as a clause, such as "the graph has no probes".
        find: Yields a sentence for each place where it does not hold.
    """

    text: str
    find: Callable[[IR], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Result:
    """A rewritten graph and the edits that made it, in order."""

    ir: IR
    edits: tuple[Edit, ...]


SOUND = Condition("every invariant of the graph holds", lambda ir: iter(violations(ir)))


def _probe_names(ir: IR) -> Iterator[str]:
    return (f"{layer.name!r} is a probe" for layer in ir.nodes if layer.kind == "probe")


WITHOUT_PROBES = Condition("the graph has no probes", _probe_names)


class Pass(ABC):
    """Base class: `apply` edits a copy through the rewriter; calling the pass checks the conditions around it."""

    name: ClassVar[str]
    requires: ClassVar[tuple[Condition, ...]] = (SOUND,)
    ensures: ClassVar[tuple[Condition, ...]] = (SOUND,)

    @abstractmethod
    def apply(self, rewriter: Rewriter) -> None:
        """Edits `rewriter.ir`."""

    def __call__(self, ir: IR) -> Result:
        """Returns the rewritten copy.

        Raises:
            PassError: If a condition of `requires` or `ensures` does not hold.
        """
        self._check(ir, self.requires, "requires", "fix what made the graph before it")
        rewriter = Rewriter(ir.copy())
        self.apply(rewriter)
        self._check(rewriter.ir, self.ensures, "ensures", "fix the pass")
        return Result(rewriter.ir, tuple(rewriter.edits))

    def _check(self, ir: IR, conditions: tuple[Condition, ...], word: str, advice: str) -> None:
        for condition in conditions:
            found = next(condition.find(ir), None)
            if found is not None:
                raise PassError(
                    f"pass {self.name!r} {word} that {condition.text}, but {found}: {advice}, or change `{word}`",
                    slug=f"pass-{word}",
                )
