"""HC902: layers without a probe."""

from collections import Counter
from collections.abc import Iterable

from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding, Fix
from hypocenter.diagnose.rule import Rule

#: Reasons told in the message; all stand in the report's coverage.
_SHOWN = 5

#: Part of the reason for layers whose output are integers or truth values: nothing in them can turn bad.
_NO_FLOATS = "not a floating-point tensor"


class NotCovered(Rule):
    """Some layers could not be observed, so that a fault in them would be found at the next observed layer.

    ## What it does
    Lists the layers that have no probe, with the reason for each.

    ## Why it is bad
    The origin of a fault may be named too late in the graph.

    ## Known problems
    Layers that the program never calls are listed by the observer only when it knows of them. Comparisons and other
    layers whose output is not floating point are left out: no fault can be in their numbers.

    ## Example
    A layer that runs in a compiled or scripted region.

    ## References
    None.
    """

    code = "HC902"
    name = "not-covered"
    fault = "unknown"
    severity = "note"
    summary = "Some layers could not be observed."

    def check(self, facts: Facts) -> Iterable[Finding]:
        """One note that names them."""
        coverage = facts.event("coverage")
        listed = [entry for entry in coverage.get("unprobed") or () if isinstance(entry, dict)]
        unprobed = [entry for entry in listed if _NO_FLOATS not in str(entry.get("reason"))]
        if not unprobed:
            return
        reasons = Counter(str(entry.get("reason")) for entry in unprobed)
        layers = coverage.get("layers", len(unprobed))
        told = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common(_SHOWN))
        more = f"; and {len(reasons) - _SHOWN} other reasons" if len(reasons) > _SHOWN else ""
        yield Finding(
            self.code,
            self.name,
            self.severity,
            self.fault,
            1.0,
            unprobed[0].get("layer"),
            "static",
            None,
            f"{len(unprobed)} of {layers} layers were not observed: {told}{more}.",
            {"unprobed": [entry.get("layer") for entry in unprobed]},
            Fix("Read the reasons; a fault in these layers shows at the next observed one."),
        )
