"""A former report, whose findings are known."""

import json
from pathlib import Path

from hypocenter.errors import BadInputError
from hypocenter.report.model import SCHEMA, Key


def load_baseline(path: Path) -> frozenset[Key]:
    """The keys of all findings, suppressed ones too, of a report that was saved with `--format json`.

    Raises:
        BadInputError: The file cannot be read or is no such report.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"the baseline {str(path)!r} cannot be read: {error.strerror}", slug="baseline") from error
    except ValueError as error:
        raise BadInputError(f"the baseline {str(path)!r} is not JSON: {error}", slug="baseline") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise BadInputError(f"the baseline {str(path)!r} is not a report with schema {SCHEMA!r}", slug="baseline")
    try:
        listed = [*data["findings"], *data.get("suppressed", [])]
        return frozenset((one["rule"], one["layer"], (one["location"] or {}).get("file")) for one in listed)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInputError(f"the baseline {str(path)!r} has a finding without {error}", slug="baseline") from error
