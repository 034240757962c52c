"""The report as data: what was run, what was found, how much was seen. Contract: `hypocenter.report/1`."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from hypocenter._version import __version__
from hypocenter.diagnose.finding import Finding, Severity
from hypocenter.report.encode import json_ready, shown_path, site_dict

if TYPE_CHECKING:
    from hypocenter.diagnose.diagnosis import Diagnosis

SCHEMA: Final = "hypocenter.report/1"

Verdict = Literal["healthy", "suspect", "faulty", "undecided"]
Ended = Literal["completed", "raised", "stopped", "not-run"]

#: What identifies a finding in a baseline: rule, layer, file.
Key = tuple[str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Program:
    """What was run.

    Args:
        path: The script, the module file or the model, as the user named it.
        frameworks: Those that it used: `torch`, `keras`, `onnx`.
        ended: How it ended; `not-run` for a check of a model alone.
        exception: The last line of its traceback, when it raised.
        steps: Training steps that were completed; None when steps do not apply.
    """

    path: str
    frameworks: tuple[str, ...] = ()
    ended: Ended = "not-run"
    exception: str | None = None
    steps: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The `program` object of the schema."""
        return {
            "path": shown_path(self.path),
            "frameworks": list(self.frameworks),
            "ended": self.ended,
            "exception": self.exception,
            "steps": self.steps,
        }


@dataclass(frozen=True, slots=True)
class Unprobed:
    """A layer without a probe, and why it has none."""

    layer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the layers that ran were probed; the others, each with its reason."""

    layers: int = 0
    probed: int = 0
    unprobed: tuple[Unprobed, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The `coverage` object of the schema."""
        unprobed = [{"layer": one.layer, "reason": one.reason} for one in self.unprobed]
        return {"layers": self.layers, "probed": self.probed, "unprobed": unprobed}


@dataclass(frozen=True, slots=True)
class Overhead:
    """What the probes cost.

    Args:
        probe_seconds: Time spent in probes.
        wall_seconds: Time of the whole run, probes included.
        budget_percent: What the user accepts, in percent of the time without probes; None for any.
    """

    probe_seconds: float
    wall_seconds: float
    budget_percent: float | None = None

    @property
    def percent(self) -> float | None:
        """Probe time in percent of the time without probes; None when there was no such time."""
        rest = self.wall_seconds - self.probe_seconds
        return 100 * self.probe_seconds / rest if rest > 0 else None

    @property
    def over_budget(self) -> bool:
        """True when a budget was given and the probes cost more."""
        return self.budget_percent is not None and self.percent is not None and self.percent > self.budget_percent

    def to_dict(self) -> dict[str, Any]:
        """The `overhead` object of the schema; times in seconds, rounded to microseconds."""
        return {
            "probe_seconds": round(self.probe_seconds, 6),
            "wall_seconds": round(self.wall_seconds, 6),
            "budget_percent": self.budget_percent,
        }


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A finding that is counted but neither shown nor judged."""

    finding: Finding
    reason: Literal["baseline", "not selected"]


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a diagnosis.

    Args:
        program: What was run.
        findings: In order of importance; their ranks are set to that order.
        coverage: How much of the model was seen.
        overhead: What seeing it cost; None when nothing ran.
        run: The run folder; None when nothing was saved.
        undecided: Why there is no verdict, in one sentence; used only when there is no error and no warning.
        suppressed: Findings left out by the baseline or by the selection of rules.
    """

    program: Program
    findings: tuple[Finding, ...]
    coverage: Coverage
    overhead: Overhead | None = None
    run: str | None = None
    undecided: str | None = None
    suppressed: tuple[Suppressed, ...] = ()

    def __post_init__(self) -> None:
        ranked = tuple(finding.ranked(place) for place, finding in enumerate(self.findings, start=1))
        object.__setattr__(self, "findings", ranked)

    @classmethod
    def from_diagnosis(
        cls,
        diagnosis: "Diagnosis",
        program: Program,
        coverage: Coverage,
        overhead: Overhead | None = None,
        run: str | None = None,
    ) -> Self:
        """The report of a diagnosis, with the findings that it was told not to make as suppressed."""
        left_out = tuple(Suppressed(finding, "not selected") for finding in diagnosis.suppressed)
        reason = diagnosis.undecided_reason
        return cls(program, diagnosis.findings, coverage, overhead, run, reason, left_out)

    @property
    def verdict(self) -> Verdict:
        """`faulty` with an error, `suspect` with a warning, else `undecided` or `healthy`. Notes do not count."""
        if self.count("error"):
            return "faulty"
        if self.count("warning"):
            return "suspect"
        return "healthy" if self.undecided is None else "undecided"

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def failing(self, fail_on: Literal["error", "warning", "never"]) -> tuple[Finding, ...]:
        """The findings at or above a severity; none for `never`."""
        counted = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[fail_on]
        return tuple(finding for finding in self.findings if finding.severity in counted)

    def without(self, known: Collection[Key]) -> Self:
        """The same report with the findings that a baseline knows moved to `suppressed`."""
        kept = tuple(finding for finding in self.findings if key(finding) not in known)
        moved = tuple(Suppressed(finding, "baseline") for finding in self.findings if key(finding) in known)
        return replace(self, findings=kept, suppressed=self.suppressed + moved)

    def to_dict(self) -> dict[str, Any]:
        """The report as strict JSON can hold it, valid against `hypocenter.report/1`.

        Files are relative to the working directory where they lie below it. Beyond the schema there are
        `undecided` (the reason, or None) and `suppressed` (findings, each with its `reason`).
        """
        data = {
            "schema": SCHEMA,
            "tool": {"name": "hypocenter", "version": __version__},
            "program": self.program.to_dict(),
            "verdict": self.verdict,
            "undecided": self.undecided if self.verdict == "undecided" else None,
            "findings": [_finding_dict(finding) for finding in self.findings],
            "suppressed": [{**_finding_dict(one.finding), "reason": one.reason} for one in self.suppressed],
            "coverage": self.coverage.to_dict(),
            "overhead": None if self.overhead is None else self.overhead.to_dict(),
            "run": None if self.run is None else shown_path(self.run),
        }
        ready: dict[str, Any] = json_ready(data)
        return ready

    def __str__(self) -> str:
        from hypocenter.report.renderers import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from hypocenter.report.html import fragment

        return fragment(self)


def key(finding: Finding) -> Key:
    """What identifies the finding from one run to the next: not its line, which edits move."""
    file = None if finding.location is None else shown_path(finding.location.file)
    return finding.rule, finding.layer, file


def _finding_dict(finding: Finding) -> dict[str, Any]:
    data = finding.to_dict()
    data["location"] = data["location"] and site_dict(data["location"])
    data["related"] = [site_dict(site) for site in data["related"]]
    if data["fix"] and data["fix"]["edit"]:
        data["fix"] = {**data["fix"], "edit": site_dict(data["fix"]["edit"])}
    return data
