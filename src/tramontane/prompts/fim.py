"""Code before and after a gap → token ids.

A vocabulary with fill-in-the-middle tokens is used as its model was trained. Without them the prefix is
continued as plain text, and `parsing.suffix` stops the answer where the suffix resumes.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from tramontane.core.prompt import TokensPrompt
from tramontane.errors import ContextLengthError
from tramontane.prompts.tokenizer import Tokenizer
from tramontane.weights.artifact import Artifact

TOKEN_FAMILIES: Final = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    ("<\uff5cfim\u2581begin\uff5c>", "<\uff5cfim\u2581hole\uff5c>", "<\uff5cfim\u2581end\uff5c>"),
    ("\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>"),
)
"""What is written before the prefix, before the suffix and before the answer: Qwen and CodeGemma, StarCoder,
SantaCoder, DeepSeek, CodeLlama."""
ENDS: Final = ("\u2581<EOT>",)
"""What ends the answer to a gap, where that is not the end of the sequence: CodeLlama."""
_SMILEY: Final = "\u263a"
"""Stands before a suffix, and is taken away again, so that no blank is put before it: CodeLlama's own way."""


@dataclass(frozen=True, slots=True)
class FimPrompt:
    """A prompt, and what the model makes of the borders of the gap."""

    tokens: TokensPrompt
    knows_suffix: bool
    """The model itself ends where the suffix resumes."""
    leaves_blank: bool = False
    """The last blank before the gap is not in the prompt: the answer may begin with it."""
    stop_ids: frozenset[int] = frozenset()
    """Tokens that end the answer, besides those that end any of the model's."""


class GapRenderer(Protocol):
    """Makes prompts of gaps for one model. Pure: it may be called in a thread."""

    def render(self, prompt: str, suffix: str, max_context_length: int) -> FimPrompt:
        """The prompt for what goes between `prompt` and `suffix`. Control tokens written in them are text.

        Raises:
            ContextLengthError: it cannot fit, however it falls into tokens; the count is the least possible.
            InvalidRequestError: text that the tokenizer cannot read.
        """
        ...


class FimRenderer:
    """Renders the gaps of one model. `bos_token_id` is set if the model wants it in front of every prompt."""

    def __init__(self, tokenizer: Tokenizer, bos_token_id: int | None = None) -> None:
        self._tokenizer = tokenizer
        self._start = [] if bos_token_id is None else [bos_token_id]
        self._fim_ids = _fim_ids(tokenizer)
        ends = (tokenizer.token_id(text) for text in ENDS)
        self._stop_ids = frozenset(end for end in ends if end is not None)
        self._words_begin_with_blank = any(
            len(token) > 1 and token.startswith(b" ") for token in tokenizer.vocabulary.token_bytes
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact, tokenizer: Tokenizer) -> "FimRenderer":
        """The renderer of a converted model."""
        return cls(tokenizer, artifact.manifest.bos_token_id)

    def render(self, prompt: str, suffix: str, max_context_length: int) -> FimPrompt:
        """The prompt for what goes between `prompt` and `suffix`. Control tokens written in them are text.

        An empty prompt is a line break where no token begins every prompt, since an engine must have one.
        Where the blank before a word is part of its token, a text that ends in a blank is one that the model
        has rarely seen, and it writes the blank again: so that is left to it.

        Raises:
            ContextLengthError: it cannot fit, however it falls into tokens; the count is the least possible.
        """
        encode = self._tokenizer.encode
        if not suffix or not self._fim_ids:
            self._check_length(len(prompt), max_context_length)
            leaves_blank = self._words_begin_with_blank and prompt.endswith(" ")
            seen = prompt.removesuffix(" ") if leaves_blank else prompt
            ids = [*self._start, *encode(seen)] or encode("\n")
            return FimPrompt(TokensPrompt(ids), knows_suffix=not suffix, leaves_blank=leaves_blank)
        self._check_length(len(prompt) + len(suffix), max_context_length)
        before, after, middle = self._fim_ids
        ids = [*self._start, before, *encode(prompt), after, *self._encode_suffix(suffix), middle]
        return FimPrompt(TokensPrompt(ids), knows_suffix=True, stop_ids=self._stop_ids)

    def _encode_suffix(self, suffix: str) -> list[int]:
        if not self._stop_ids:
            return self._tokenizer.encode(suffix)
        smiley = self._tokenizer.encode(_SMILEY)
        return self._tokenizer.encode(_SMILEY + suffix)[len(smiley) :]

    def _check_length(self, characters: int, max_context_length: int) -> None:
        least = characters // self._tokenizer.longest_token
        if least >= max_context_length:
            raise ContextLengthError(least, max_context_length)


def _fim_ids(tokenizer: Tokenizer) -> list[int]:
    """The three tokens of the first family that the vocabulary has; empty if it has none."""
    for family in TOKEN_FAMILIES:
        ids = [token_id for text in family if (token_id := tokenizer.token_id(text)) is not None]
        if len(ids) == len(family):
            return ids
    return []
