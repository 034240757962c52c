"""Which IR value each live tensor is."""

import weakref

import torch


class Flow:
    """Names of tensors by identity.

    Names are kept beside the tensors, never on them: an attribute would be saved and copied with the tensor. Weak
    references keep nothing alive; an entry whose tensor is gone counts for nothing, so a reused `id` is no danger.
    """

    #: Dead entries are swept when the table outgrows this many.
    LIMIT = 8192

    __slots__ = ("_names", "_sweep_at")

    def __init__(self) -> None:
        self._names: dict[int, tuple[weakref.ref[torch.Tensor], str]] = {}
        self._sweep_at = self.LIMIT

    def name(self, tensor: torch.Tensor) -> str | None:
        """The value that `tensor` is, or None when it was never named."""
        entry = self._names.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else None

    def set(self, tensor: torch.Tensor, name: str) -> None:
        """From now on `tensor` is the value `name`."""
        self._names[id(tensor)] = (weakref.ref(tensor), name)
        if len(self._names) > self._sweep_at:
            self._names = {key: entry for key, entry in self._names.items() if entry[0]() is not None}
            self._sweep_at = max(self.LIMIT, 2 * len(self._names))
