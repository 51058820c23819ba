"""A SentencePiece BPE tokenizer in a GGUF file (`tokenizer.ggml.model` "llama"), as one of `tokenizers`.

SentencePiece has no list of merges: it joins the two neighbours whose joint piece has the highest score.
A list of all ways to join two pieces into a third, best score first, does the same.
"""

from collections.abc import Iterator, Mapping, Sequence

from tokenizers import Tokenizer, decoders, models, normalizers

from tramontane.errors import ModelStoreError
from tramontane.weights.gguf_metadata import Metadata

_UNKNOWN, _CONTROL, _UNUSED = 2, 3, 5
_SPACE = "▁"
_LONGEST_PIECE = 256
"""Characters; SentencePiece trains with 16 by default. Bounds the work on a hostile file."""


def sentencepiece_bpe(metadata: Metadata, vocabulary: Mapping[str, int], types: Sequence[int]) -> Tokenizer:
    """The tokenizer without its control tokens.

    Raises:
        ModelStoreError: it is damaged.
    """
    scores = metadata.numbers("tokenizer.ggml.scores").tolist()
    if len(scores) != len(vocabulary):
        raise ModelStoreError(f"Its tokenizer is damaged: {len(vocabulary)} tokens have {len(scores)} scores")
    mergeable = {
        piece: scores[index]
        for piece, index in vocabulary.items()
        if types[index] not in (_UNKNOWN, _CONTROL, _UNUSED) and len(piece) <= _LONGEST_PIECE
    }
    unknown = next((piece for piece, index in vocabulary.items() if types[index] == _UNKNOWN), None)
    merges = _merges(mergeable, vocabulary)
    tokenizer = Tokenizer(
        models.BPE(dict(vocabulary), merges, unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    prefixed = metadata.flag("tokenizer.ggml.add_space_prefix", default=True)
    prefix = [normalizers.Prepend(_SPACE)] if prefixed else []
    tokenizer.normalizer = normalizers.Sequence([*prefix, normalizers.Replace(" ", _SPACE)])
    strip = [decoders.Strip(" ", 1, 0)] if prefixed else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    return tokenizer


def _merges(scores: Mapping[str, float], vocabulary: Mapping[str, int]) -> list[tuple[str, str]]:
    """Best first; among the ways to the same piece, the one with the older pieces."""
    ranked = [
        (-score, vocabulary[left], vocabulary[right], left, right)
        for piece, score in scores.items()
        for left, right in _splits(piece)
        if left in scores and right in scores
    ]
    return [(left, right) for *_, left, right in sorted(ranked)]


def _splits(piece: str) -> Iterator[tuple[str, str]]:
    return ((piece[:cut], piece[cut:]) for cut in range(1, len(piece)))
