"""The whole answer: the fold of the stream."""

from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from tramontane.core.events import (
    ChoiceEnd,
    Event,
    FinishReason,
    TextDelta,
    ThinkingDelta,
    TokenLogprob,
    ToolCall,
)
from tramontane.core.usage import Usage


@dataclass(frozen=True, slots=True)
class Choice:
    """One complete answer."""

    index: int
    text: str
    finish_reason: FinishReason
    thought: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """All answers to one request, by index."""

    choices: tuple[Choice, ...]
    usage: Usage


async def assemble(events: AsyncGenerator[Event]) -> Completion:
    """Read `events` to their end."""
    texts: defaultdict[int, list[str]] = defaultdict(list)
    thoughts: defaultdict[int, list[str]] = defaultdict(list)
    logprobs: defaultdict[int, list[TokenLogprob]] = defaultdict(list)
    choices: list[Choice] = []
    usage = Usage(prompt_tokens=0)
    async with aclosing(events):
        async for event in events:
            match event:
                case TextDelta(index, text):
                    texts[index].append(text)
                    logprobs[index].extend(event.logprobs)
                case ThinkingDelta(index, text):
                    thoughts[index].append(text)
                case ChoiceEnd(index, text):
                    choice = Choice(
                        index,
                        text="".join((*texts[index], text)),
                        finish_reason=event.finish_reason,
                        thought="".join(thoughts[index]),
                        tool_calls=event.tool_calls,
                        logprobs=(*logprobs[index], *event.logprobs),
                    )
                    choices.append(choice)
                    usage = event.usage or usage
    return Completion(tuple(sorted(choices, key=lambda choice: choice.index)), usage)
