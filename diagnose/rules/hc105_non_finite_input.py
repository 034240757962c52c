"""HC105: NaN or infinity in the data."""

from collections.abc import Iterable

import numpy as np

from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding, Fix
from hypocenter.diagnose.nonfinite import NonFiniteRule, finding
from hypocenter.ir.site import Site


class NonFiniteInput(NonFiniteRule):
    """The data that the program passes to the model or to the loss holds NaN or infinity, and they did harm.

    ## What it does
    When the way upstream from a harmed value ends at an input of the model or a target of the loss, that tensor is
    reported, with the number of bad values and how many steps had some.

    ## Why it is bad
    One NaN in one sample makes the loss of its batch NaN, and the next update destroys the weights.

    ## Known problems
    NaN that the model removes (nan_to_num, a mask) does no harm and is not reported. The line is the one where a
    PyTorch operation made the bad values of finite data; where that was not seen (data prepared with numpy, or by a
    data loader), the one that hands the tensor to the model.

    ## Example
    A table with bad values, read by pandas and passed on as it is. Better: fill them in (`df.fillna(df.mean())`),
    or drop the rows.

    ## References
    R. Little, D. Rubin: Statistical analysis with missing data, 3rd edition, 2019.
    """

    code = "HC105"
    name = "non-finite-input"
    fault = "data"
    severity = "error"
    summary = "The inputs or targets hold NaN or infinity."
    explains = (*NonFiniteRule.explains, "HC101", "HC102", "HC103", "HC104")

    def check(self, facts: Facts) -> Iterable[Finding]:
        """One finding, for the tensor."""
        origin = facts.origin
        if origin is None or origin.where != "input":
            return
        name = origin.subject
        stats = origin.moment.value(name)
        series = facts.inputs.get(name) or facts.targets.get(name)
        bad, total = (0, 0) if series is None else (int(np.count_nonzero(series.nonfinite)), len(series))
        role = "target" if name in facts.targets or stats.kind == "target" else "input"
        event = facts.data.get(name, {})
        handed = Site.from_dict(event["site"]) if event.get("site") else place(origin.node)
        made = next((one for one in facts.events("nonfinite_data") if one.get("site")), None)
        by = "" if made is None else f"; {_how(made['op'])}"
        yield finding(
            self,
            origin,
            phase="data",
            fault="data",
            message=(
                f"the {role} {name!r} has {stats.what} values at step {origin.step} ({bad} of {total} batches have "
                f"some){by}; so {origin.harm.text}."
            ),
            site=handed if made is None else Site.from_dict(made["site"]),
            related=() if made is None or handed is None else (handed,),
            fix=Fix(
                f"Remove or fill in the bad values of the {role}s before training, and assert torch.isfinite once."
            ),
            confidence=0.95,
            evidence={
                "tensor": stats.to_dict(),
                "bad_batches": bad,
                "batches": total,
                "role": role,
                "made_by": made and made["op"],
            },
        )


def _how(op: str) -> str:
    """How bad values came into the data, from the operation that first had them."""
    if op in ("tensor", "as_tensor", "from_numpy"):
        return f"they came in with {op!r}"
    return f"{op!r} made them while the data was prepared"
