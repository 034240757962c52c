"""The exceptions that hypocenter raises for the user to read."""


class HypocenterError(Exception):
    """Base of every error that is the user's to act on: one sentence that says what was wrong and what to do.

    Args:
        message: The sentence; values in it are shown by `repr`.
        slug: A stable kebab-case name of the error, for searching and for tests.
    """

    def __init__(self, message: str, *, slug: str) -> None:
        super().__init__(message)
        self.slug = slug


class MissingExtraError(HypocenterError):
    """A framework is needed that is not installed."""


class BadInputError(HypocenterError):
    """A script, model, tensor, option or file that cannot be used as it is."""


class BadRunError(HypocenterError):
    """A run folder that is missing, empty or damaged beyond reading."""


class StorageError(HypocenterError):
    """The run folder cannot be written: read-only, no space, no permission."""
