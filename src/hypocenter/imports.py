"""Call back right after a package was imported, without a trace in the package, its spec or its loader."""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


def after_import(name: str, callback: Callable[[], None]) -> Callable[[], None]:
    """Call `callback` once, as soon as the top-level package `name` has been executed; at once if it already was.

    An import that fails leaves the hook armed for the next attempt. Asking only for the spec
    (`importlib.util.find_spec`) does not fire it. The package must come from a file on `sys.path`: loaders that
    are classes (built-in and frozen modules) are left alone.

    Args:
        name: Name of the package, without dots.
        callback: Called in the thread that imports, before the import statement returns. What it raises, the
            import statement raises.

    Returns:
        A function that disarms the hook; calling it again, or after the hook fired, does nothing.
    """
    if name in sys.modules:
        callback()
        return lambda: None
    finder = _Finder(name, callback)
    sys.meta_path.insert(0, finder)
    return finder.remove


class _Finder(MetaPathFinder):
    """Stands first in `sys.meta_path`; lets the others find the spec, then listens to its loader."""

    def __init__(self, name: str, callback: Callable[[], None]) -> None:
        self.name = name
        self.callback = callback
        self.listening: list[Loader] = []
        self.asking = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the other finders give, its loader's `exec_module` shadowed until it has run."""
        if fullname != self.name or self.asking:  # two hooks on one name ask each other
            return None
        self.asking = True
        try:
            found = (f.find_spec(fullname, path, target) for f in list(sys.meta_path) if f is not self)
            spec = next((spec for spec in found if spec is not None), None)
        finally:
            self.asking = False
        if spec is not None and spec.loader is not None and not isinstance(spec.loader, type):
            self._listen(spec.loader)
        return spec

    def _listen(self, loader: Loader) -> None:
        """Shadow `exec_module` on the instance: the loader keeps its identity and its type."""
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if module.__name__ == self.name and self in sys.meta_path:
                self.remove()
                self.callback()

        loader.exec_module = exec_module  # type: ignore[method-assign]  # the point of this function
        self.listening.append(loader)

    def remove(self) -> None:
        """Leave `sys.meta_path` and give each loader its own method back."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for loader in self.listening:
            vars(loader).pop("exec_module", None)
        self.listening.clear()
