"""Code before and after a gap → token ids of a model with a Mistral tokenizer, in Codestral's order.

`<s>[SUFFIX]` suffix `[PREFIX]` prompt: the model goes on where the prompt ends, having read the suffix.
"""

from typing import TYPE_CHECKING

from mistral_common.protocol.fim.request import FIMRequest
from mistral_common.tokens.tokenizers.base import SpecialTokens

from tramontane.core.prompt import TokensPrompt
from tramontane.core.vocabulary import Vocabulary
from tramontane.errors import ContextLengthError
from tramontane.prompts.fim import FimPrompt
from tramontane.prompts.mistral import special_id
from tramontane.prompts.mistral_errors import hosted_error

if TYPE_CHECKING:
    from tramontane.weights.mistral_tokenizer import AnyMistralTokenizer


class MistralFimRenderer:
    """Renders the gaps of one model; one without the two tokens continues the prompt and sees no suffix."""

    def __init__(self, tokenizer: "AnyMistralTokenizer", vocabulary: Vocabulary) -> None:
        self._tokenizer = tokenizer
        self._longest_token = max(map(len, vocabulary.token_bytes))
        marks = (special_id(tokenizer, token) for token in (SpecialTokens.suffix, SpecialTokens.prefix))
        self._has_tokens = None not in tuple(marks)

    def render(self, prompt: str, suffix: str, max_context_length: int) -> FimPrompt:
        """The prompt for what goes between `prompt` and `suffix`. Control tokens written in them are text.

        Raises:
            ContextLengthError: it cannot fit, however it falls into tokens; the count is the least possible.
            InvalidRequestError: text that the tokenizer cannot read.
        """
        least = (len(prompt) + len(suffix) * self._has_tokens) // self._longest_token
        if least >= max_context_length:
            raise ContextLengthError(least, max_context_length)
        try:
            token_ids = self._encode(prompt, suffix)
        except Exception as error:
            raise hosted_error(error) from error
        return FimPrompt(TokensPrompt(token_ids), knows_suffix=self._has_tokens or not suffix)

    def _encode(self, prompt: str, suffix: str) -> list[int]:
        if not self._has_tokens:
            return self._tokenizer.instruct_tokenizer.tokenizer.encode(prompt, bos=True, eos=False)
        request = FIMRequest(prompt=prompt, suffix=suffix or None)
        return self._tokenizer.instruct_tokenizer.encode_fim(request).tokens
