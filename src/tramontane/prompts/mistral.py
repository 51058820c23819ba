"""Conversations → token ids of a model with a Mistral tokenizer, token for token as `mistral-common` has it.

The steps are the library's: validate, normalize, encode. What users write is encoded as text, never parsed
for control tokens. To import this module takes a second: `bootstrap` does so only for such a model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Final

from mistral_common.tokens.tokenizers.base import SpecialTokens, TokenizerVersion

from tramontane.core.output_format import ListedCalls, NamedCalls, OutputFormat, Section, TokenThoughts
from tramontane.core.prompt import Modality, TokensPrompt
from tramontane.core.vocabulary import Vocabulary
from tramontane.errors import ContextLengthError, FeatureNotEnabledError
from tramontane.prompts.message_order import check_messages
from tramontane.prompts.mistral_errors import hosted_error
from tramontane.prompts.mistral_media import prompt_of, use_our_readers
from tramontane.prompts.mistral_request import RequestBuilder, thought
from tramontane.prompts.mistral_thinking import with_thinking_prompt
from tramontane.prompts.renderer import ChatInput, RenderedChat, text_length
from tramontane.prompts.schema_as_text import told_of_schema
from tramontane.schemas.chat import ReasoningEffort
from tramontane.schemas.content import ContentChunk, TextChunk, ThinkChunk
from tramontane.schemas.messages import AssistantMessage, Message

if TYPE_CHECKING:
    from tramontane.weights.mistral_tokenizer import AnyMistralTokenizer

FUNCTION_CALLING: Final = "Function calling"
BETWEEN_CHUNKS: Final = "\n\n"
"""What the library puts between the text chunks of one message, up to v13."""
BETWEEN_MESSAGES: Final = "\n\n"
"""What it puts between messages of one role."""


class MistralRenderer:
    """Renders the conversations of one model.

    Args:
        tokenizer: the model's own, validating for serving.
        vocabulary: of the model.
        strict: take ids of tool calls in the hosted API's form only.
    """

    def __init__(
        self, tokenizer: "AnyMistralTokenizer", vocabulary: Vocabulary, *, strict: bool = False
    ) -> None:
        self._tokenizer = tokenizer
        self._longest_token = max(map(len, vocabulary.token_bytes))
        self._calls = _calls(tokenizer, vocabulary)
        self._thoughts = _thoughts(tokenizer)
        self._chunk_join = "" if tokenizer.version >= TokenizerVersion.v15 else BETWEEN_CHUNKS
        self._settings = tokenizer.instruct_tokenizer.tokenizer.model_settings_builder
        self._readable = use_our_readers(tokenizer)
        self._builder = RequestBuilder(
            thinks=self._thoughts is not None,
            has_schema_setting=bool(self._settings and self._settings.json_schema),
            strict=strict,
            sampling_rate=self._readable.sampling_rate,
        )

    @property
    def output_format(self) -> OutputFormat:
        """By token ids, as the tokenizer's version has them."""
        return OutputFormat(self._calls, self._thoughts)

    @property
    def reasoning_efforts(self) -> Sequence[ReasoningEffort]:
        """What the tokenizer declares; a model that is told by its system prompt thinks or does not."""
        if self._settings is None:
            return [ReasoningEffort.none, ReasoningEffort.high] if self._thoughts else []
        declared = self._settings.reasoning_effort
        return [ReasoningEffort(effort) for effort in declared.values] if declared else []

    @property
    def modalities(self) -> frozenset[Modality]:
        """What the tokenizer has tokens for."""
        return self._readable.modalities

    def render(self, chat: ChatInput, max_context_length: int) -> RenderedChat:
        """The prompt up to where the model goes on: after the last message, its prefix or its open thought.

        Raises:
            ContextLengthError: it cannot fit, however it falls into tokens; the count is the least possible.
            FeatureNotEnabledError: content or tools that the model does not know.
            InvalidRequestError: the library refuses the conversation; subclasses have the hosted codes.
        """
        least = max(len(chat.messages), text_length(chat.messages) // self._longest_token)
        if least >= max_context_length:
            raise ContextLengthError(least, max_context_length)
        check_messages(chat.messages)
        if chat.tools and not self._calls:
            raise FeatureNotEnabledError(FUNCTION_CALLING)
        told = chat if self._builder.has_schema_setting else told_of_schema(chat)
        return RenderedChat(self._encode(self._told_to_think(told)), *self._begun(chat.messages))

    def _encode(self, chat: ChatInput) -> TokensPrompt:
        try:
            return prompt_of(self._tokenizer.encode_chat_completion(self._builder.build(chat)))
        except Exception as error:
            raise hosted_error(error) from error

    def _told_to_think(self, chat: ChatInput) -> ChatInput:
        """`chat` with whatever makes the model think, or not, in the way of its tokenizer's version."""
        if self._settings is not None:
            return replace(chat, reasoning_effort=self._effort(chat))
        messages = chat.messages
        if self._thoughts and chat.asks_to_think:
            messages = with_thinking_prompt(messages)
        return replace(chat, messages=messages, reasoning_effort=None)

    def _effort(self, chat: ChatInput) -> ReasoningEffort | None:
        wanted = chat.reasoning_effort
        if chat.asks_to_think:
            wanted = wanted or ReasoningEffort.high
        elif chat.is_formed:
            wanted = ReasoningEffort.none
        return wanted if wanted in self.reasoning_efforts else chat.reasoning_effort

    def _begun(self, messages: Sequence[Message]) -> tuple[str, str, Section]:
        """What the answer begins with: its text, its thought, and what the model goes on with."""
        if not getattr(messages[-1], "prefix", False):
            return "", "", Section.TEXT
        run = list(takewhile(lambda message: isinstance(message, AssistantMessage), reversed(messages)))
        chunks = [_chunks(message) for message in reversed(run)]
        texts = [self._chunk_join.join(_texts(of_message)) for of_message in chunks]
        thoughts = [chunk for chunk in chain(*chunks) if isinstance(chunk, ThinkChunk) and self._thoughts]
        match chunks[-1]:
            case [*_, ThinkChunk(closed=False)] if self._thoughts:
                section = Section.THOUGHT
            case _:
                section = Section.TEXT
        return BETWEEN_MESSAGES.join(filter(None, texts)), "".join(map(thought, thoughts)), section


def _chunks(message: Message) -> Sequence[ContentChunk]:
    content = message.content
    return [TextChunk(text=content or "")] if content is None or isinstance(content, str) else content


def _texts(chunks: Sequence[ContentChunk]) -> Iterator[str]:
    return (chunk.text for chunk in chunks if isinstance(chunk, TextChunk) and chunk.text)


def _calls(tokenizer: "AnyMistralTokenizer", vocabulary: Vocabulary) -> ListedCalls | NamedCalls | None:
    start = special_id(tokenizer, SpecialTokens.tool_calls)
    arguments = special_id(tokenizer, SpecialTokens.args)
    if start is None:
        return None
    if tokenizer.version < TokenizerVersion.v11 or arguments is None:
        return ListedCalls(start, after_blank=vocabulary.blank_before_text)
    # Later tokenizers still have the token, but their models are not shown ids.
    writes_ids = tokenizer.version < TokenizerVersion.v13
    return NamedCalls(start, arguments, special_id(tokenizer, SpecialTokens.call_id) if writes_ids else None)


def _thoughts(tokenizer: "AnyMistralTokenizer") -> TokenThoughts | None:
    start = special_id(tokenizer, SpecialTokens.begin_think)
    end = special_id(tokenizer, SpecialTokens.end_think)
    if tokenizer.version < TokenizerVersion.v13 or start is None or end is None:
        return None
    return TokenThoughts(start, end)


def special_id(tokenizer: "AnyMistralTokenizer", token: SpecialTokens) -> int | None:
    """The control token's id; None if the tokenizer has none, or has it as mere text."""
    tokens = tokenizer.instruct_tokenizer.tokenizer
    return tokens.get_special_token(token.value) if tokens.is_special(token.value) else None
