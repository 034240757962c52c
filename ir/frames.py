"""Source places from interpreter frames: which line, which columns, and whose code it is.

Every function here is on the path of each observed operation, so classes of files and spans of instructions are
remembered, and the text of a line is read only when a report asks for it (`with_snippet`).
"""

import linecache
import os
import sys
import sysconfig
from dataclasses import replace
from enum import IntEnum
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType

from hypocenter.ir.site import Role, Site

MAX_REMEMBERED = 65_536  # entries of each cache; a notebook that runs for weeks compiles new code all the time

_LIBRARY_FOLDERS = frozenset({"site-packages", "dist-packages", "transformers_modules"})
_TYPED_BY_A_PERSON = ("<stdin", "<ipython-input", "<doctest", "<console", "<python-input", "<input")


class Owner(IntEnum):
    """Whose code a frame runs."""

    USER = 0
    LIBRARY = 1
    """An installed package."""
    MACHINERY = 2
    """PyTorch, hypocenter, the standard library, and code that a program generated: never the place to look at."""


_owners: dict[str, Owner] = {}
_sites: dict[tuple[int, int, str], tuple[CodeType, Site]] = {}


def is_library(filename: str) -> bool:
    """True when the file belongs to an installed package, the standard library or generated code.

    Args:
        filename: As in `code.co_filename`: a path, or a pseudo name in angle brackets. Of the pseudo names only those
            of typed code (`<stdin>`, `<ipython-input-…>`, doctests) are the user's. A project of the user's is his
            wherever it lies, also under `src` and installed editable.
    """
    return _owner_of_file(filename) is not Owner.USER


def owner_of(frame: FrameType) -> Owner:
    """Whose code the frame runs: by module name for torch and hypocenter, else by file."""
    filename = frame.f_code.co_filename
    owner = _owners.get(filename)
    return _classify(frame, filename) if owner is None else owner


def site_of(frame: FrameType, role: Role = "call") -> Site:
    """The exact span of the expression that the frame is evaluating.

    Columns are missing when the source is not at hand or Python runs with `-X no_debug_ranges`. A file without a
    path (typed or generated code) is named as the interpreter names it.
    """
    code = frame.f_code
    # By identity: code objects that differ only in their file compare equal, and hashing one reads all of it.
    key = (id(code), frame.f_lasti, role)
    known = _sites.get(key)
    if known is not None:
        return known[1]
    site = _locate(frame, role)
    if len(_sites) >= MAX_REMEMBERED:
        _sites.clear()
    _sites[key] = (code, site)  # the code object stays alive as long as its id is a key
    return site


def call_sites(frame: FrameType | None) -> tuple[Site | None, Site | None]:
    """The nearest place outside of PyTorch, hypocenter and the standard library, and the nearest one of the user's.

    Args:
        frame: Innermost frame to consider.

    Returns:
        Twice the same site when the nearest code is the user's; None where there is no such frame.
    """
    call = None
    while frame is not None:
        filename = frame.f_code.co_filename
        owner = _owners.get(filename)
        if owner is None:
            owner = _classify(frame, filename)
        if owner == 0:
            user = site_of(frame)
            return call or user, user
        if owner == 1 and call is None:
            call = site_of(frame)
        frame = frame.f_back
    return call, None


def user_frame(frame: FrameType | None, within: int = sys.maxsize) -> FrameType | None:
    """The nearest frame, from this one outwards, that runs the user's code; None if there is none `within` so many."""
    while frame is not None and within > 0:
        filename = frame.f_code.co_filename
        owner = _owners.get(filename)
        if owner is None:
            owner = _classify(frame, filename)
        if owner == 0:
            return frame
        frame = frame.f_back
        within -= 1
    return None


def with_snippet(site: Site) -> Site:
    """The site with the text of its first line, stripped at the right; unchanged when the source is not at hand."""
    if site.snippet is not None:
        return site
    text = linecache.getline(site.file, site.line).rstrip()
    return replace(site, snippet=text) if text else site


def source_path(filename: str) -> str:
    """`code.co_filename` as a site names it: absolute, links kept; pseudo names in angle brackets as they are."""
    if filename.startswith("<"):
        return filename
    return os.path.abspath(filename)  # noqa: PTH100  # Path.resolve would follow links, Path.absolute would keep `..`


def character_column(line: str, offset: int) -> int:
    """The column, from 1 and in characters, of a byte offset into the line's UTF-8 form."""
    return len(line.encode()[:offset].decode(errors="ignore")) + 1


def _classify(frame: FrameType, filename: str) -> Owner:
    if filename == "<string>":
        return _owner_of_string(frame)  # not remembered: the same name stands for different code
    owner = Owner.MACHINERY if _is_machinery(frame) else _owner_of_file(filename)
    if len(_owners) >= MAX_REMEMBERED:
        _owners.clear()
    _owners[filename] = owner
    return owner


def _is_machinery(frame: FrameType) -> bool:
    spec = frame.f_globals.get("__spec__")
    module = getattr(spec, "name", None) or frame.f_globals.get("__name__")
    return isinstance(module, str) and module.partition(".")[0] in ("torch", "hypocenter")


def _owner_of_string(frame: FrameType) -> Owner:
    """`python -c` is the user's; the methods that dataclasses write are not, although they claim his module."""
    generated = frame.f_code.co_qualname.startswith("__create_fn__")
    main = frame.f_globals.get("__name__") == "__main__"
    return Owner.USER if main and not generated else Owner.MACHINERY


@lru_cache(maxsize=4096)
def _owner_of_file(filename: str) -> Owner:
    if filename.startswith("<"):
        return Owner.USER if filename.startswith(_TYPED_BY_A_PERSON) else Owner.MACHINERY
    path = Path(source_path(filename))
    if not _LIBRARY_FOLDERS.isdisjoint(path.parts):
        return Owner.LIBRARY
    # Both forms, because a virtual environment reaches the standard library through a link.
    folders = {*path.parents, *path.resolve().parents}
    return Owner.USER if _standard_folders().isdisjoint(folders) else Owner.MACHINERY


@lru_cache(maxsize=1)
def _standard_folders() -> frozenset[Path]:
    """The standard library, and the folder of installed commands (`torchrun`, `pytest`, our own)."""
    named = {Path(sysconfig.get_path(key)) for key in ("stdlib", "platstdlib", "scripts")}
    return frozenset(named | {folder.resolve() for folder in named})


def _locate(frame: FrameType, role: Role) -> Site:
    filename = frame.f_code.co_filename
    library = owner_of(frame) is not Owner.USER
    file = source_path(filename)
    line, end_line, start, end = _positions(frame)
    columns = _columns(frame, line, end_line, start, end)
    last = end_line if end_line > line else None
    return Site(file, line, last, *columns, role=role, library=library)


def _positions(frame: FrameType) -> tuple[int, int, int | None, int | None]:
    """First line, last line, and byte offsets of the instruction that the frame is at."""
    code, index = frame.f_code, frame.f_lasti // 2
    nowhere = (None, None, None, None)
    line, end_line, start, end = next(islice(code.co_positions(), max(index, 0), None), nowhere)
    if index < 0 or line is None:
        line = end_line = frame.f_lineno or code.co_firstlineno
        start = end = None
    return line, end_line or line, start, end


def _columns(
    frame: FrameType, line: int, end_line: int, start: int | None, end: int | None
) -> tuple[int | None, int | None]:
    if start is None or end is None:
        return None, None
    filename = frame.f_code.co_filename
    first = linecache.getline(filename, line, frame.f_globals)
    last = first if end_line == line else linecache.getline(filename, end_line)
    if len(first.encode()) < start or len(last.encode()) < end or not first or not last:
        return None, None  # the file is not there, or is no longer the one that was compiled
    return character_column(first, start), character_column(last, end)
