"""Ids of tool calls in the form that Mistral's models were trained on: nine letters and digits.

Clients that have talked to another vendor send ids of another form, or none. Each is exchanged for one of the
right form, the same for the same id in every request, so that a conversation that grows keeps its prompt.
"""

import hashlib
import re
import string
from typing import Final

from tramontane.errors import FunctionCallError
from tramontane.prompts.message_order import NO_ID

_ALPHABET: Final = string.digits + string.ascii_letters
_LENGTH: Final = 9
_WELL_FORMED: Final = re.compile(rf"[a-zA-Z0-9]{{{_LENGTH}}}")


class ToolIds:
    """The ids of one conversation, told in order.

    Args:
        strict: take no other form, as the hosted API.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._unanswered: list[str] = []
        self._nameless = 0

    def start_turn(self) -> None:
        """An assistant's message begins: results belong to its calls from now on."""
        self._unanswered = []

    def called(self, call_id: str) -> str:
        """The id of a call that was sent as `call_id`.

        Raises:
            FunctionCallError: it is not of the right form, in strict mode.
        """
        if call_id in NO_ID:
            self._nameless += 1
            exchanged = self._exchanged(call_id, f"{self._nameless}")
        else:
            exchanged = self._exchanged(call_id, f"id {call_id}")
        self._unanswered.append(exchanged)
        return exchanged

    def answered(self, call_id: str | None) -> str:
        """The id of a result that was sent as `call_id`. Without one it answers the first call that is left.

        Raises:
            FunctionCallError: it is not of the right form, in strict mode.
        """
        if call_id is None or call_id in NO_ID:
            first = next(iter(self._unanswered), "")
            exchanged = self._exchanged(call_id or "", "") if self._strict or not first else first
        else:
            exchanged = self._exchanged(call_id, f"id {call_id}")
        if exchanged in self._unanswered:
            self._unanswered.remove(exchanged)
        return exchanged

    def _exchanged(self, call_id: str, source: str) -> str:
        if _WELL_FORMED.fullmatch(call_id):
            return call_id
        if not self._strict:
            return _derived(source)
        if call_id in NO_ID:
            raise FunctionCallError("Tool call id has to be defined.")
        raise FunctionCallError(
            f"Tool call id was {call_id} but must be a-z, A-Z, 0-9, with a length of {_LENGTH}."
        )


def _derived(source: str) -> str:
    number = int.from_bytes(hashlib.sha256(source.encode(errors="surrogatepass")).digest())
    characters = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return "".join(characters)
