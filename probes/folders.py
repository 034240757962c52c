"""Run folders: where they are made and found, and what lies where in them. Imports nothing heavy.

A run folder holds `events.jsonl`, `trace/<rank>-<number>.parquet`, `ir.onnx` and the reports.
"""

import os
import re
import secrets
import time
from pathlib import Path
from typing import Final

from hypocenter.errors import BadRunError, StorageError

EVENTS: Final = "events.jsonl"
TRACE: Final = "trace"
_LATEST: Final = "latest"
_SEGMENT: Final = re.compile(r"(\d+)-(\d+)\.parquet")


def segments(folder: Path) -> list[tuple[int, int, Path]]:
    """Segments of a run as (number, rank, path) in recording order; temporary files are not among them."""
    trace = folder / TRACE
    if not trace.is_dir():
        return []
    matches = ((_SEGMENT.fullmatch(path.name), path) for path in trace.iterdir())
    return sorted((int(match[2]), int(match[1]), path) for match, path in matches if match)


def make_writable(folder: Path) -> None:
    """Make the run folder and its files' places, and write to it once.

    Raises:
        StorageError: The folder cannot be made or written to.
    """
    try:
        (folder / TRACE).mkdir(parents=True, exist_ok=True)
        with (folder / EVENTS).open("ab"):
            pass
        with (folder / TRACE / ".writable").open("wb"):
            pass
        (folder / TRACE / ".writable").unlink()
    except OSError as error:
        message = f"Cannot write to the run folder {str(folder)!r}: {reason(error)}. Choose another folder."
        raise StorageError(message, slug="run-folder-not-writable") from error


def reason(error: OSError) -> str:
    """The operating system's words for an error, without its number and path."""
    return error.strerror or str(error) or type(error).__name__


def new_run_folder(base: Path | str = ".hypocenter") -> Path:
    """Make a new folder `<base>/<date>-<time>-<4 hex digits>` and point `<base>/latest` to it.

    Raises:
        StorageError: The folder cannot be made.
    """
    base = Path(base)
    try:
        base.mkdir(parents=True, exist_ok=True)
        while True:
            # secrets, because the random generators belong to the user's program.
            folder = base / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
            try:
                folder.mkdir()
                break
            except FileExistsError:
                continue
        pointer = base / f".{_LATEST}.{os.getpid()}.tmp"
        pointer.write_text(folder.name + "\n", encoding="utf-8")
        pointer.replace(base / _LATEST)
    except OSError as error:
        message = f"Cannot make a run folder in {str(base)!r}: {reason(error)}. Start in another folder."
        raise StorageError(message, slug="run-folder-not-writable") from error
    return folder


def find_run(path: Path | str) -> Path:
    """Find the run folder that `path` means: itself, or the latest run of a folder of runs.

    Raises:
        BadRunError: Nothing there, nothing recorded, or not a run folder.
    """
    path = Path(path)
    if not path.exists():
        raise BadRunError(f"There is no run folder {str(path)!r}.", slug="run-missing")
    if not path.is_dir():
        message = f"{str(path)!r} is a file; give the run folder, which holds {EVENTS!r} and {TRACE!r}."
        raise BadRunError(message, slug="run-not-a-folder")
    run = path if _is_run(path) else _latest(path)
    if run is None:
        if not any(path.iterdir()):
            raise BadRunError(f"The run folder {str(path)!r} is empty: nothing was recorded.", slug="run-empty")
        message = f"{str(path)!r} is not a run folder: it holds neither {EVENTS!r} nor {TRACE!r}."
        raise BadRunError(message, slug="not-a-run")
    events = run / EVENTS
    if not segments(run) and not (events.is_file() and events.stat().st_size):
        raise BadRunError(f"The run folder {str(run)!r} is empty: nothing was recorded.", slug="run-empty")
    return run


def _is_run(path: Path) -> bool:
    return (path / EVENTS).is_file() or (path / TRACE).is_dir()


def _latest(base: Path) -> Path | None:
    pointer = base / _LATEST
    if pointer.is_file():
        name = pointer.read_text(encoding="utf-8", errors="replace").strip()
        if name and (base / name).is_dir() and _is_run(base / name):
            return base / name
    runs = sorted(folder for folder in base.iterdir() if folder.is_dir() and _is_run(folder))
    return runs[-1] if runs else None
