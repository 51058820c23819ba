"""What is refused of a grammar before the library sees it, because that would crash or answer nonsense."""

import re
from collections.abc import Collection
from typing import Final

from tramontane.core.sampling import SamplingParams
from tramontane.errors import InvalidRequestError

MAX_BYTES: Final = 128 * 1024
"""The library needs about 400 bytes of memory for each byte of a grammar."""
MAX_NESTING: Final = 256
"""Brackets within brackets, which the library reads by recursion."""

_WITHOUT_BRACKETS: Final = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\n]*', re.DOTALL)
"""Literals, character classes and comments."""


def check_grammar(params: SamplingParams, control_ids: Collection[int]) -> None:
    """Return if `params` have no grammar, or one that may be read.

    Raises:
        InvalidRequestError: it is empty, too large or too deep, or a stop token could be part of it.
    """
    if params.grammar is None:
        return
    if not params.stop_token_ids or not params.stop_token_ids.issubset(control_ids):
        raise InvalidRequestError("An answer that obeys a grammar ends with a control token of the model")
    try:
        size = len(params.grammar.encode())
    except UnicodeEncodeError as error:
        raise InvalidRequestError("The grammar holds half a character") from error
    if not params.grammar.strip():
        raise InvalidRequestError("The grammar is empty")
    if size > MAX_BYTES:
        raise InvalidRequestError(f"The output format is too large: a grammar of {size} bytes")
    if _nesting(params.grammar) > MAX_NESTING:
        raise InvalidRequestError("The output format is nested too deeply")


def _nesting(grammar: str) -> int:
    depth = deepest = 0
    for character in _WITHOUT_BRACKETS.sub("", grammar):
        if character == "(":
            depth += 1
            deepest = max(deepest, depth)
        elif character == ")":
            depth -= 1
    return deepest
