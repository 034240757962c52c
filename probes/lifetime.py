"""Ends and forks of the program: open recorders are closed at its end, and forget everything in a forked process."""

import atexit
import os
import threading
from typing import Final, Protocol

#: Seconds that a fork waits for a writing under way; a disk that hangs must not hang the program.
_PATIENCE: Final = 2.0


class Closeable(Protocol):
    """What is registered here: a recorder with a run folder."""

    def close(self) -> None:
        """Bring everything to disk."""

    def hold(self, timeout: float) -> bool:
        """Write nothing until `release`; False if a writing did not end within `timeout` seconds."""

    def release(self) -> None:
        """Undo `hold`."""

    def forget(self) -> None:
        """Record nothing from now on."""


_OPEN: Final[set[Closeable]] = set()
_HELD: Final[dict[int, list[Closeable]]] = {}  # by the forking thread


def register(one: Closeable) -> None:
    """Keep `one` alive, and close it at the end of the program."""
    _OPEN.add(one)


def unregister(one: Closeable) -> None:
    """Undo `register`."""
    _OPEN.discard(one)


def _before_fork() -> None:
    # No writing is under way at the moment of the fork, so the child inherits no half-done state of the libraries.
    _HELD[threading.get_ident()] = [one for one in tuple(_OPEN) if one.hold(_PATIENCE)]


def _after_fork_in_parent() -> None:
    for one in _HELD.pop(threading.get_ident(), []):
        one.release()


def _after_fork_in_child() -> None:
    for one in _OPEN:
        one.forget()
    _OPEN.clear()
    _HELD.clear()


def _close_all() -> None:
    for one in tuple(_OPEN):
        one.close()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
atexit.register(_close_all)
