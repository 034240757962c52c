"""Tracebacks as they would be without hypocenter: its own frames, and what they drew in, are taken out."""

import os
from types import FrameType, TracebackType

#: Set to keep hypocenter's frames in the tracebacks of watched programs.
DEBUG_VARIABLE = "HYPOCENTER_DEBUG"


def clean(error: BaseException) -> None:
    """Take hypocenter's frames out of the traceback of `error`, its causes, contexts and group members, in place.

    torch calls a function again through `torch.overrides.handle_torch_function` when a function mode listens; the
    doubled frames are taken out as well. Does nothing when the environment variable `HYPOCENTER_DEBUG` is set.
    """
    if os.environ.get(DEBUG_VARIABLE):
        return
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = _without_own(one.__traceback__)
        pending += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions


def started(error: BaseException, namespace: dict[str, object]) -> bool:
    """True when a frame with these globals is in the traceback: the module had begun to run."""
    return any(entry.tb_frame.f_globals is namespace for entry in _entries(error.__traceback__))


def _entries(traceback: TracebackType | None) -> list[TracebackType]:
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    return entries


def _without_own(traceback: TracebackType | None) -> TracebackType | None:
    kept: list[TracebackType] = []
    skipped = False
    for entry in _entries(traceback):
        if is_own(entry.tb_frame):
            skipped = True
            continue
        if skipped:
            _drop_detour(kept, entry)
        skipped = False
        kept.append(entry)
    if skipped:
        _drop_detour(kept, None)
    following = None
    for entry in reversed(kept):
        entry.tb_next = following
        following = entry
    return following


def is_own(frame: FrameType) -> bool:
    """True for a frame of a module of hypocenter, told by the module's name."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "hypocenter"


def _drop_detour(kept: list[TracebackType], following: TracebackType | None) -> None:
    """Remove `handle_torch_function` from the end and, when its caller runs a second time, the first of the two."""
    if not kept or kept[-1].tb_frame.f_globals.get("__name__") != "torch.overrides":
        return
    kept.pop()
    if kept and following is not None and kept[-1].tb_frame.f_code is following.tb_frame.f_code:
        kept.pop()
