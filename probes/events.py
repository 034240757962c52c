"""What happened once, or now and then, in a run: `events.jsonl`, one JSON object per line.

JSON has no NaN and no infinities: they are written as `{"float": "nan"}`, `{"float": "inf"}`, `{"float": "-inf"}`, and
read back as floats. Every event has `kind`, `step` (training steps completed), `time` (seconds since 1970) and `rank`.
"""

import dataclasses
import json
import math
import os
from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from hypocenter.errors import BadRunError
from hypocenter.probes.folders import EVENTS, reason

EventKind = Literal[
    "program",  # path, argv, frameworks, versions, cwd
    "model",  # root, class, parameters, trainable, trainable_names, site
    "optimizer",  # id, class, groups, missing, site, sites
    "data",  # subject, role, dtype, shape, min, max, mean, std, classes, encoding, integer
    "loss",  # value, node, op, site, backward_site
    "epoch",  # epoch
    "stale_gradient",  # count, parameters, site
    "nonfinite_data",  # op, site, nonfinite, count, shape: finite numbers became bad while data was prepared
    "grad_scaler",
    "scaler_skip",  # the scaler found infinities and left out the optimizer's step
    "counters",  # forwards, training_forwards, backwards, optimizer_steps, zero_grads, scaler_skips
    "coverage",  # layers, probed, unprobed
    "warning",  # message
    "end",  # ended, exception, steps, wall_seconds, probe_seconds
]
Event = dict[str, Any]

#: Events of one kind that stay in memory: the first and the last so many.
KEPT: Final = 1024


def encode(event: Mapping[str, Any]) -> str:
    """One line of strict JSON, without the line break; what JSON cannot hold is written as its `repr`."""
    return json.dumps(_plain(event), allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def decode(line: str) -> Event:
    """Undo `encode`.

    Raises:
        ValueError: Not a JSON object with a `kind`.
    """
    event = json.loads(line, object_hook=_revive)
    if not isinstance(event, dict) or not isinstance(event.get("kind"), str):
        raise ValueError(f"not an event: {line[:60]!r}")
    return event


def _revive(value: dict[str, Any]) -> Any:
    if value.keys() == {"float"} and value["float"] in ("nan", "inf", "-inf"):
        return float(value["float"])
    return value


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return float(value) if math.isfinite(value) else {"float": str(float(value))}
        case np.generic() | np.ndarray():
            return _plain(value.tolist())
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case _:
            return _plain_object(value)


def _plain_object(value: object) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    return str(value) if isinstance(value, Path) else repr(value)


def append(folder: Path, lines: Iterable[str]) -> None:
    """Append encoded events to the run's file: all of them, or none.

    Raises:
        OSError: The file system refused.
    """
    path = folder / EVENTS
    # One write at the end of the file, so that the processes of a distributed run can share it. Names that the locale
    # could not decode hold lone surrogates, for which UTF-8 has nothing; their backslash escapes are valid JSON.
    data = "".join(line + "\n" for line in lines).encode("utf-8", "backslashreplace")
    with path.open("ab") as file:
        before = file.tell()
        try:
            file.write(data)
            file.flush()
        except OSError:
            # A full disk takes a part; without it the events would be there twice, since they go to memory now.
            if path.is_file():
                os.truncate(path, before)
            raise


def load_events(folder: Path | str) -> list[Event]:
    """Read the events of a run in the order in which they happened.

    A torn last line (the program was killed while it was written) is dropped. Damaged lines before it are counted in a
    `warning` event at the end. A folder without `events.jsonl` has no events.

    Raises:
        BadRunError: The file is there but cannot be read, or holds no event at all although it is not empty.
    """
    path = Path(folder) / EVENTS
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadRunError(f"Cannot read {str(path)!r}: {reason(error)}.", slug="bad-events") from error
    lines = text.split("\n")
    torn = lines.pop()  # empty when the last line was written to its end
    found: list[Event] = []
    damaged = 0
    for line in lines:
        try:
            found.append(decode(line))
        except ValueError:
            damaged += 1
    if torn and (event := _complete(torn)):
        found.append(event)
    if damaged and not found:
        message = f"{str(path)!r} is damaged: none of its {damaged} lines is an event."
        raise BadRunError(message, slug="bad-events")
    if damaged:
        message = f"{damaged} damaged line{'s' if damaged > 1 else ''} in {str(path)!r} left out."
        last = found[-1]
        found.append({"kind": "warning", "message": message, "step": last.get("step", 0), "time": last.get("time")})
    return found


def _complete(line: str) -> Event | None:
    """The event of a line that lacks only its line break."""
    try:
        return decode(line)
    except ValueError:
        return None


def of_kind(events: Iterable[Event], kind: EventKind) -> list[Event]:
    """The events of one kind, in order."""
    return [event for event in events if event["kind"] == kind]


def last_of_kind(events: Iterable[Event], kind: EventKind) -> Event | None:
    """The last event of one kind, or None."""
    found = of_kind(events, kind)
    return found[-1] if found else None


class EventMemory:
    """Events in memory: the first KEPT and the last KEPT of each kind."""

    def __init__(self) -> None:
        self._first: dict[str, list[tuple[int, Event]]] = {}
        self._last: dict[str, deque[tuple[int, Event]]] = {}
        self._count = 0

    def add(self, event: Event) -> None:
        """Remember one event."""
        first = self._first.setdefault(event["kind"], [])
        if len(first) < KEPT:
            first.append((self._count, event))
        else:
            self._last.setdefault(event["kind"], deque(maxlen=KEPT)).append((self._count, event))
        self._count += 1

    def all(self) -> list[Event]:
        """The remembered events in the order in which they were added."""
        kept = [item for part in (*self._first.values(), *self._last.values()) for item in part]
        return [event for _, event in sorted(kept, key=lambda item: item[0])]
