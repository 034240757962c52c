"""The report as JSON, `hypocenter.report/1`."""

import json

from hypocenter.report.model import Report
from hypocenter.report.renderers import Surface


class JsonRenderer:
    """One JSON object; ASCII only, so that any encoding can carry it. `quiet` changes nothing."""

    def render(self, report: Report, surface: Surface) -> str:  # noqa: ARG002  # data has no looks
        """The object, indented by two."""
        return json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"
