"""The tokenizer that a GGUF file describes, as an equal one of the `tokenizers` library."""

from collections.abc import Mapping, Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from tramontane.errors import ModelStoreError
from tramontane.weights.gguf_metadata import Metadata
from tramontane.weights.gguf_sentencepiece import sentencepiece_bpe

_CONTROL, _USER_DEFINED = 3, 4
"""llama.cpp's token types for what is matched in the prompt before any other rule."""

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PRE_TOKENIZERS: Mapping[str, Sequence[str]] = {
    "gpt-2": (_GPT2,),
    "smollm": (r"\p{N}", _GPT2),
    "llama-bpe": (_LLAMA3,),
    "qwen2": (_LLAMA3.replace("{1,3}", ""),),
    "tekken": (_TEKKEN,),
    # What llama.cpp does with files that were made before they said.
    "default": (r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"),
}
"""By `tokenizer.ggml.pre`: the expressions that cut a text, each applied to the pieces of the one before."""

_SAME: Mapping[str, str] = {
    "llama3": "llama-bpe",
    "llama-v3": "llama-bpe",
    "pixtral": "llama-bpe",
    "deepseek-r1-qwen": "qwen2",
}
"""Other names that llama.cpp has for the same rules."""

_WHOLE_PIECES_FIRST = frozenset({"llama-bpe", "tekken"})
"""A piece that is a token is that token, even where the merges would end elsewhere. Texts of these begin with
their begin token, where the file does not say otherwise."""


def read_gguf_tokenizer(metadata: Metadata) -> Tokenizer:
    """An equal tokenizer. It adds no control token of its own to a text.

    Raises:
        ModelStoreError: the tokenizer is damaged or of a kind that is not supported.
    """
    tokens = metadata.strings("tokenizer.ggml.tokens")
    types = metadata.numbers("tokenizer.ggml.token_type").tolist()
    vocabulary = {token: index for index, token in enumerate(tokens)}
    if not len(vocabulary) == len(tokens) == len(types):
        raise ModelStoreError("Its tokenizer is damaged: tokens occur twice, or have no type")
    try:
        tokenizer = _tokenizer(metadata, vocabulary, types)
    except ModelStoreError:
        raise
    except Exception as error:  # the library raises nothing narrower
        raise ModelStoreError(f"Its tokenizer is damaged: {error}") from error
    tokenizer.add_tokens(
        [
            AddedToken(token, special=kind == _CONTROL, normalized=False)
            for token, kind in zip(tokens, types, strict=True)
            if kind in (_CONTROL, _USER_DEFINED)
        ]
    )
    return tokenizer


def _tokenizer(metadata: Metadata, vocabulary: dict[str, int], types: list[int]) -> Tokenizer:
    match metadata.text("tokenizer.ggml.model"):
        case "gpt2":
            return _byte_level_bpe(metadata, vocabulary)
        case "llama":
            return sentencepiece_bpe(metadata, vocabulary, types)
        case kind:
            raise ModelStoreError(f'Its tokenizer is "{kind}"; supported are gpt2 and llama')


def _byte_level_bpe(metadata: Metadata, vocabulary: dict[str, int]) -> Tokenizer:
    pre = _pre_tokenizer(metadata)
    if pre not in _PRE_TOKENIZERS:
        raise ModelStoreError(f'Its pre-tokenizer is "{pre}"; supported are {", ".join(_PRE_TOKENIZERS)}')
    merges = [_merge(merge) for merge in metadata.strings("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=pre in _WHOLE_PIECES_FIRST))
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    splits = [pre_tokenizers.Split(Regex(cut), "isolated") for cut in _PRE_TOKENIZERS[pre]]
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*splits, to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def wants_begin_by_default(metadata: Metadata) -> bool:
    """Whether llama.cpp puts the begin token in front of a text if the file does not say."""
    return metadata.text("tokenizer.ggml.model") == "llama" or _pre_tokenizer(metadata) in _WHOLE_PIECES_FIRST


def _pre_tokenizer(metadata: Metadata) -> str:
    name = metadata.text("tokenizer.ggml.pre", "default")
    return _SAME.get(name, name)


def _merge(text: str) -> tuple[str, str]:
    left, space, right = text.partition(" ")
    if not (left and space and right):
        raise ModelStoreError(f"Its tokenizer is damaged: {text!r} is no merge of two tokens")
    return left, right
