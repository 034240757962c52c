"""The finding record: one fault, where it is, what shows it, what to do."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from hypocenter.ir.site import Site

Severity = Literal["error", "warning", "note"]
Fault = Literal[
    "loss", "activation", "learning_rate", "optimizer", "epochs", "batch_size", "initialization", "architecture",
    "normalization", "labels", "regularization", "numerics", "training_loop", "data", "conversion", "unknown",
]  # fmt: skip
Where = Literal["static", "data", "forward", "loss", "backward", "update", "curve"]


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement in one source line: `old` (as it stands there) becomes `new`."""

    file: str
    line: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Fix:
    """What to do, in one imperative sentence, and the edit where it can be written down exactly."""

    text: str
    edit: Edit | None = None

    def to_dict(self) -> dict[str, Any]:
        """The `fix` object of the report schema."""
        edit = None if self.edit is None else {name: getattr(self.edit, name) for name in Edit.__slots__}
        return {"text": self.text, "edit": edit, "verified": None}


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. Contract: `hypocenter.report/1`.

    Args:
        rule: Code, such as `HC101`.
        name: Kebab-case name of the symptom, such as `dead-units`.
        severity: `error` only where the evidence shows that training or inference is harmed.
        fault: What the programmer did.
        confidence: 0 to 1.
        layer: Module path or operation name; None for a fault of the whole program.
        phase: Where in the training step it shows.
        location: The line to act on.
        message: One sentence with the numbers.
        evidence: JSON-ready numbers that support the message.
        fix: What to do.
        op: Op type of the layer.
        step: First step at which it shows, from 0.
        related: Other lines that matter.
        rank: Place in the report, from 1; 0 until it is ranked.
    """

    rule: str
    name: str
    severity: Severity
    fault: Fault
    confidence: float
    layer: str | None
    phase: Where
    location: Site | None
    message: str
    evidence: dict[str, Any] = field(default_factory=dict)
    fix: Fix | None = None
    op: str | None = None
    step: int | None = None
    related: tuple[Site, ...] = ()
    rank: int = 0

    def ranked(self, rank: int) -> Self:
        """The same finding at its place in the report."""
        return replace(self, rank=rank)

    def to_dict(self) -> dict[str, Any]:
        """The `finding` object of the report schema."""
        plain = ("rule", "name", "severity", "fault", "rank", "layer", "op", "phase", "step", "message", "evidence")
        return {
            **{name: getattr(self, name) for name in plain},
            "confidence": round(self.confidence, 3),
            "location": None if self.location is None else self.location.to_dict(),
            "related": [site.to_dict() for site in self.related],
            "fix": None if self.fix is None else self.fix.to_dict(),
        }
