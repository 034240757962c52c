"""Writes measured numbers into `RESULTS.md`, each benchmark between its own pair of markers."""

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
LIBRARIES = ("numpy", "numba", "torch")


def processor() -> str:
    """The processor's model name, as the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def machine(libraries: tuple[str, ...] = LIBRARIES) -> str:
    """One line: processor, cores, what else kept them busy, date, versions."""
    versions = ", ".join(f"{library} {version(library)}" for library in libraries)
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    load = f" (load {os.getloadavg()[0]:.1f})" if hasattr(os, "getloadavg") else ""
    return f"{processor()}, {os.cpu_count()} cores{load}, {when}; Python {platform.python_version()}, {versions}."


def replace_section(name: str, text: str, path: Path = RESULTS) -> None:
    """Put `text` between `<!-- name:begin -->` and `<!-- name:end -->`; the first time, at the end of the file."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    old = path.read_text() if path.exists() else "# Results\n"
    if begin in old and end in old:
        head, rest = old.split(begin, 1)
        new = head + section + rest.split(end, 1)[1]
    else:
        new = f"{old.rstrip()}\n\n{section}\n"
    path.write_text(new)
