"""Tokens that a request used."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Inclusive counts: `cached_tokens` are part of `prompt_tokens`. `n` answers count their prompt once."""

    prompt_tokens: int
    completion_tokens: int = 0
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """What the hosted API calls `total_tokens`."""
        return self.prompt_tokens + self.completion_tokens
