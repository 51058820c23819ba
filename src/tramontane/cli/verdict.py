"""What measured figures mean for people who wait for answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

READING: Final = 7.0
"""Tokens a second: somewhat more than a quick reader reads (300 words a minute, 1.4 tokens a word)."""
_AT_ONCE: Final = 0.3
_SOON: Final = 1.5
"""Seconds to the first token that feel like no wait, and like a short one."""
_PAGE_TOKENS: Final = 700


@dataclass(frozen=True, slots=True)
class Streams:
    """Answers side by side."""

    count: int
    total: float
    """Tokens a second of all together."""

    @property
    def each(self) -> float:
        """Tokens a second of one."""
        return self.total / self.count


def verdict(first_token: float, prompt_rate: float, streams: Sequence[Streams]) -> list[str]:
    """Sentences for people.

    Args:
        first_token: seconds to it, of a short prompt.
        prompt_rate: tokens of a prompt a second.
        streams: by their count, one first.
    """
    return [_speed(streams), _wait(first_token), _reading(prompt_rate)]


def _speed(streams: Sequence[Streams]) -> str:
    alone = streams[0].each / READING
    served = [one.count for one in streams if one.each >= READING]
    if not served:
        return (
            f"One answer comes at {streams[0].each:.1f} tokens/s, slower than people read ({READING:.0f}): "
            "a smaller model or --quantization int4 would suit this machine better."
        )
    together = "" if max(served) == 1 else f"; {max(served)} at once are each still faster than that"
    return f"An answer is written {alone:.1f} times as fast as people read{together}."


def _wait(first_token: float) -> str:
    if first_token <= _AT_ONCE:
        return "Short questions are answered at once."
    if first_token <= _SOON:
        return "Short questions are answered after a moment."
    return "Even short questions make people wait: this model is too large for this machine."


def _reading(prompt_rate: float) -> str:
    seconds = _PAGE_TOKENS / prompt_rate
    return (
        f"A new page of 500 words costs {seconds:.1f} s before the answer, one that was read before far less."
    )
