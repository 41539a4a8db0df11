"""Every error that webgpu-kit raises on purpose.

    KitError
    |-- RecipeError     the recipe, or a command-line setting, does not hold together
    |-- SourceError     the model's files could not be found, fetched or trusted
    |-- ExportError     the original framework could not give an ONNX graph or a golden
    |-- GraphError      the graph cannot be prepared for a browser
    |-- QuantizeError   a variant could not be made, or misses its parity threshold
    |-- BundleError     the bundle or the site could not be written or read
    |-- ServeError      the dev server could not start
    |-- BrowserError    no browser could be started, or it ended
    `-- CheckError      a check or a bench could not be carried out

A message says what happened to which thing, with the value and what was allowed; `fix` is the next step.
"""

from __future__ import annotations


class KitError(Exception):
    """What went wrong, in one sentence, and (in `fix`) what to do about it."""

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  Fix: {self.fix}" if self.fix else self.message


class RecipeError(KitError):
    """The recipe, or a command-line setting, does not hold together."""


class SourceError(KitError):
    """The model's files could not be found, fetched or trusted."""


class ExportError(KitError):
    """The original framework could not give an ONNX graph or a golden."""


class GraphError(KitError):
    """The graph cannot be prepared for a browser."""


class QuantizeError(KitError):
    """A variant could not be made, or misses its parity threshold."""


class BundleError(KitError):
    """The bundle or the site could not be written or read."""


class DocumentError(KitError):
    """Documents could not be read, or not be indexed."""


class ServeError(KitError):
    """The dev server could not start."""


class BrowserError(KitError):
    """No browser could be started, or it ended."""


class CheckError(KitError):
    """A check or a bench could not be carried out."""


def first_line(error: Exception) -> str:
    """The first line of a library's own message, cut to what fits one of ours."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:400]
