"""What an engine is asked to continue."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokensPrompt:
    """A prompt as token ids of the model's own vocabulary, never empty."""

    token_ids: Sequence[int]

    def __len__(self) -> int:
        return len(self.token_ids)
