"""Images and audio of Mistral's models: the library lays out their tokens, the files are read here.

The library would read files by itself, from the network and the disk too; and it would normalise pixels,
which is for the engine to do.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from mistral_common.protocol.instruct import chunk as chunks
from mistral_common.tokens.tokenizers.audio import Audio, AudioEncoder, AudioEncoding
from mistral_common.tokens.tokenizers.image import ImageEncoder, ImageEncoding
from PIL import Image

from tramontane.core.prompt import Modality, PromptAudio, PromptImage, TokensPrompt

if TYPE_CHECKING:
    from mistral_common.tokens.tokenizers.base import Tokenized

    from tramontane.weights.mistral_tokenizer import AnyMistralTokenizer


@dataclass(frozen=True, slots=True)
class Readable:
    """What a tokenizer has tokens for beside text."""

    modalities: frozenset[Modality]
    sampling_rate: int
    """Samples a second of the sound that the model hears; 0 if it hears none."""


def use_our_readers(tokenizer: "AnyMistralTokenizer") -> Readable:
    """Make `tokenizer` take media that are read already; says which."""
    instruct = tokenizer.instruct_tokenizer
    reads, sampling_rate = set(), 0
    if images := instruct.image_encoder:
        instruct.image_encoder = _ImageEncoder(images.image_config, images.special_ids)
        reads.add(Modality.IMAGE)
    # Tokenizers that transcribe a stream have no chat.
    if (audio := instruct.audio_encoder) and not audio.audio_config.is_streaming:
        instruct.audio_encoder = _AudioEncoder(audio.audio_config, audio.special_ids)
        reads.add(Modality.AUDIO)
        sampling_rate = audio.audio_config.sampling_rate
    return Readable(frozenset(reads), sampling_rate)


def prompt_of(tokenized: "Tokenized") -> TokensPrompt:
    """What the library made, in the words of engines."""
    return TokensPrompt(
        tokenized.tokens,
        [PromptImage(image.shape[1], image.shape[0], image.tobytes()) for image in tokenized.images],
        [
            PromptAudio(audio.sampling_rate, np.asarray(audio.audio_array, "<f4").tobytes())
            for audio in tokenized.audios
        ],
    )


class _ImageEncoder(ImageEncoder):
    """Takes images that are read; gives their pixels at the size that their tokens cover."""

    def __call__(self, content: chunks.ImageChunk | chunks.ImageURLChunk) -> ImageEncoding:
        assert isinstance(content, chunks.ImageChunk)
        columns, rows = self._image_to_num_tokens(content.image)
        tokens = ([self.special_ids.img] * columns + [self.special_ids.img_break]) * rows
        tokens[-1] = self.special_ids.img_end
        side = self.image_config.image_patch_size * self.image_config.spatial_merge_size
        resized = content.image.resize((columns * side, rows * side), Image.Resampling.BICUBIC)
        return ImageEncoding(tokens, np.asarray(resized, dtype=np.uint8))


class _AudioEncoder(AudioEncoder):
    """Takes sound that is read: samples of the model's rate, as bytes."""

    def __call__(self, content: chunks.AudioChunk | chunks.AudioURLChunk) -> AudioEncoding:
        assert isinstance(content, chunks.AudioChunk)
        assert isinstance(content.input_audio, bytes)
        samples = np.frombuffer(content.input_audio, dtype=np.float32)
        return self.encode_audio(Audio(samples, self.audio_config.sampling_rate, "wav"))
