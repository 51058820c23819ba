"""What an engine is asked to continue."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Modality(StrEnum):
    """What a prompt may hold beside text."""

    IMAGE = "image"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class PromptImage:
    """An image as the model's tokenizer has laid it out: each of its patches has a token in the prompt."""

    width: int
    height: int
    """Pixels; both are multiples of what one token covers."""
    rgb: bytes
    """Three bytes a pixel, row by row, not normalised."""


@dataclass(frozen=True, slots=True)
class PromptAudio:
    """Sound as the model's tokenizer has laid it out."""

    sampling_rate: int
    """Samples a second."""
    samples: bytes
    """One channel, -1 to 1, little-endian 32-bit floats; padded with silence as the model wants it."""


@dataclass(frozen=True, slots=True)
class TokensPrompt:
    """A prompt as token ids of the model's own vocabulary, never empty."""

    token_ids: Sequence[int]
    images: Sequence[PromptImage] = ()
    """In the order of their tokens."""
    audios: Sequence[PromptAudio] = ()
    """Likewise."""
    affinity: bytes | None = None
    """What the prompts of one conversation have in common, for engines that have several caches."""

    def __len__(self) -> int:
        return len(self.token_ids)

    @property
    def modalities(self) -> frozenset[Modality]:
        """What is in it beside text."""
        held = {Modality.IMAGE: self.images, Modality.AUDIO: self.audios}
        return frozenset(modality for modality, media in held.items() if media)
