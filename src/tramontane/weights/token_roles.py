"""Which tokens of a vocabulary are not text."""

from collections.abc import Iterable

from tokenizers import Tokenizer

from tramontane.weights.mistral_tokenizer import MistralTokenizerFile

_END_TOKENS = (
    "</s>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
)
"""Control tokens of Llama, Mistral, Qwen and SmolLM that end a text or a turn, declared or not."""


def special_token_ids(tokenizer: Tokenizer | MistralTokenizerFile) -> tuple[int, ...]:
    """Control tokens, which are never part of a text."""
    if isinstance(tokenizer, MistralTokenizerFile):
        return tuple(sorted(tokenizer.vocabulary.special_ids))
    return tuple(sorted(_control_tokens(tokenizer)))


def stop_token_ids(tokenizer: Tokenizer | MistralTokenizerFile, declared: Iterable[int]) -> tuple[int, ...]:
    """`declared` and every other control token that ends a text or a turn."""
    if isinstance(tokenizer, MistralTokenizerFile):
        return tuple(sorted(tokenizer.vocabulary.stop_ids.union(declared)))
    known = {token_id for token_id, text in _control_tokens(tokenizer).items() if text in _END_TOKENS}
    return tuple(sorted(known.union(declared)))


def _control_tokens(tokenizer: Tokenizer) -> dict[int, str]:
    added = tokenizer.get_added_tokens_decoder()
    return {token_id: token.content for token_id, token in added.items() if token.special}
