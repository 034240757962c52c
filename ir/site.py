"""Places in the user's source: where a layer was made, called, or configured."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

Role = Literal["definition", "call", "loss", "optimizer", "fit", "data", "loop", "metric"]


@dataclass(frozen=True, slots=True)
class Site:
    """A span of source text. Lines and columns count from 1; `end_column` is exclusive.

    A site that is a line range without columns says that the place is ambiguous within that range.

    Args:
        file: Path as the interpreter knows it (absolute while recording).
        line: First line.
        end_line: Last line, or None when it is the first.
        column: First column, in characters.
        end_column: Column after the last character.
        role: What the program does there.
        snippet: The source text of the first line, stripped at its right.
        library: True when the file belongs to an installed package or the standard library.
    """

    file: str
    line: int
    end_line: int | None = None
    column: int | None = None
    end_column: int | None = None
    role: Role = "definition"
    snippet: str | None = None
    library: bool = False

    def with_role(self, role: Role) -> Self:
        """The same place, doing something else."""
        return replace(self, role=role)

    def to_dict(self) -> dict[str, Any]:
        """The `site` object of the report schema, plus `library` when true. Fields without a value are left out."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in fields.items() if value is not None and value is not False}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_dict`; unknown keys are ignored so that newer runs stay readable."""
        return cls(**{name: data[name] for name in cls.__slots__ if name in data})
