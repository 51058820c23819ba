"""From a prompt to what the script is asked, and from its reply to tokens: a token a byte of UTF-8."""

import re
from collections.abc import Iterable
from typing import Final

from tramontane.core.events import FinishReason
from tramontane.core.sampling import SamplingParams
from tramontane.core.vocabulary import BYTE_VOCABULARY, TURN_END, TURN_START
from tramontane.engines.fake.script import Reply

WORD: Final = re.compile(rb"\s*\S{1,16}|\s+")
"""What is sent at a time, so that a stream looks as a model's does."""

_USER_TURN: Final = f"{chr(TURN_START)}user\n"
_CONTROL: Final = dict.fromkeys(BYTE_VOCABULARY.special_ids)


def last_user_text(token_ids: Iterable[int]) -> str:
    """What the user said last; the whole prompt where no user has a turn, as for fill-in-the-middle."""
    prompt = "".join(map(chr, token_ids))  # a character a token: bytes as in Latin-1, control tokens above
    _, marker, turn = prompt.rpartition(_USER_TURN)
    content = turn.partition(chr(TURN_END))[0] if marker else prompt
    return content.translate(_CONTROL).encode("latin-1").decode(errors="replace")


def answer_to(reply: Reply, params: SamplingParams) -> tuple[bytes, FinishReason]:
    """The reply, cut at a stop token or `max_tokens`, and said again until there are `min_tokens`."""
    data, finish_reason = reply.text.encode(errors="replace"), reply.finish_reason
    if len(data) < params.min_tokens:
        data = _at_least(params.min_tokens, data)
    stops = bytes(token for token in params.stop_token_ids if token < TURN_START)
    if stops:
        data, stopped = _until_stop(data, stops, params.min_tokens)
        finish_reason = FinishReason.STOP if stopped else finish_reason
    if len(data) >= params.max_tokens:
        return data[: params.max_tokens], FinishReason.LENGTH
    return data, finish_reason


def _at_least(size: int, data: bytes) -> bytes:
    repeated = data + b" "
    return (repeated * (size // len(repeated) + 1))[:size]


def _until_stop(data: bytes, stops: bytes, min_tokens: int) -> tuple[bytes, bool]:
    """Stop tokens count only after `min_tokens`, and are never said before."""
    start = data[:min_tokens].translate(None, stops)
    rest = data[min_tokens:]
    end = min((at for stop in stops if (at := rest.find(stop)) >= 0), default=None)
    return start + rest[:end], end is not None
