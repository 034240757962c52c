"""What is installed and what was chosen, for `hypocenter doctor`."""

import os
import platform
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from hypocenter._version import __version__

#: Distribution -> the extra that installs it.
FRAMEWORKS: Final = {"torch": "torch", "keras": "keras", "tensorflow": "keras", "onnxruntime": "onnx"}
CORE: Final = ("numpy", "numba", "onnx", "onnx-ir", "pyarrow")


def examine() -> list[tuple[str, str]]:
    """Name and finding of each thing looked at; a repeated name continues the one before. Imports no framework."""
    rows = [
        ("hypocenter", __version__),
        ("python", f"{platform.python_version()}, {sys.executable}"),
        ("machine", f"{platform.platform()}, {os.cpu_count()} CPUs"),
        ("core", ", ".join(f"{name} {_version(name) or 'is missing'}" for name in CORE)),
    ]
    for name, extra in FRAMEWORKS.items():
        missing = f"{name} is not installed; pip install 'hypocenter[{extra}]'"
        found = _version(name)
        rows.append(("frameworks", f"{name} {found}" if found else missing))
    return [*rows, *_kernels(), ("run folder", _run_folder())]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _kernels() -> list[tuple[str, str]]:
    from hypocenter import kernels

    selection = kernels.select()
    why = selection.reasons or ["nothing spoke against them"]
    rows = [("kernels", selection.kernels.name), *(("kernels", reason) for reason in why)]
    if selection.kernels.name == "numba":
        rows.append(("kernel cache", _cache(Path(kernels.__file__ or "").resolve().parent)))
    return rows


def _cache(folder: Path) -> str:
    """Where numba keeps compiled kernels: its own order of `NUMBA_CACHE_DIR`, beside the source, the user's cache."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return f"{given} (NUMBA_CACHE_DIR)"
    return str(folder / "__pycache__") if os.access(folder, os.W_OK) else "numba's folder in the user's cache"


def _run_folder() -> str:
    folder = Path.cwd() / ".hypocenter"
    if folder.exists() and not folder.is_dir():
        return f"{folder} is a file, in the place where runs are recorded: remove it"
    try:
        with tempfile.TemporaryFile(dir=folder if folder.is_dir() else folder.parent):
            return f"{folder} can be written"
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror}; start `hypocenter run` in another folder"
