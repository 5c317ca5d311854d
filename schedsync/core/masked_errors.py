"""Errors as log lines may show them: with their frames and causes, and without secrets in their texts."""

from __future__ import annotations

from schedsync.core.secrets import MASK, masked

#: The characters of a line that are kept.
_LONGEST_LINE = 500
#: How many causes of an error are kept.
_MOST_CAUSES = 20
#: In characters. A text is cut after more is searched: a secret that is cut in two would not be found.
_SEARCHED, _SHOWN = 20_000, 4_000


def masked_text(error: BaseException) -> str:
    """Return what an error says, three asterisks if a secret is in it; never raises, as `str` of an error can."""
    try:
        text = str(error)
    except Exception:
        return "an error without a text"
    text = text[:_SEARCHED]
    # KeyError and others quote a text, in which the letter of an escape would belong to the name of a secret.
    plain = text.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t")
    return text[:_SHOWN] if masked(plain) == plain else MASK


def error_line(error: BaseException) -> str:
    """Return an error in one line that every database can hold, without secrets."""
    lines = masked_text(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text.replace("\0", "").encode("ascii", "backslashreplace").decode()[:_LONGEST_LINE]


def masked_error(error: BaseException) -> Exception:
    """Return an error to log instead: it prints as the given one does, with its frames and causes, without secrets."""
    return _masked(error, {})


def _masked(error: BaseException, known: dict[int, Exception]) -> Exception:
    if (found := known.get(id(error))) is not None:
        return found
    # A traceback names the class, and logs are searched by that name.
    names = {"__module__": type(error).__module__, "__qualname__": type(error).__qualname__}
    double: Exception = type(type(error).__name__, (Exception,), names)(masked_text(error))
    known[id(error)] = double
    double.__traceback__ = error.__traceback__
    if len(known) < _MOST_CAUSES:
        cause, context = error.__cause__, error.__context__
        double.__cause__ = None if cause is None else _masked(cause, known)
        double.__context__ = None if context is None else _masked(context, known)
    double.__suppress_context__ = error.__suppress_context__
    return double
