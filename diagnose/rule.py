"""What a diagnosis rule is."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Severity


class Rule(ABC):
    """One rule, one file `rules/hcNNN_<name>.py`, one class named after the file in CamelCase.

    The docstring of a rule is its explanation page, with the headings *What it does*, *Why it is bad*,
    *Known problems*, *Example* and *References*. Thresholds are named fields with their unit and origin.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    #: The fault that the rule accuses of when the evidence tells no other.
    fault: ClassVar[Fault]
    #: The severity when harm is shown; a finding may be milder.
    severity: ClassVar[Severity]
    summary: ClassVar[str]
    #: Codes, or beginnings of codes, of findings that are consequences of what this rule finds.
    explains: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def check(self, facts: Facts) -> Iterable[Finding]:
        """The findings of this rule in a run; none in a healthy one."""

    def absorbs(self, own: Finding, other: Finding) -> bool:
        """Whether `other` is a consequence of `own`, a finding of this rule; by default told by `explains`.

        Override to be narrower, for example to ask for the same layer or a later step.
        """
        return own is not other and other.severity != "note" and other.rule.startswith(self.explains or ("-",))
