"""Prompts of Mistral's models, token for token those of mistral-common.

The reference requests are written by hand in the library's own classes, not made from ours.
"""

from dataclasses import dataclass, field

import pytest
from mistral_common.protocol.fim.request import FIMRequest
from mistral_common.protocol.instruct import chunk as mc_chunks
from mistral_common.protocol.instruct import messages as mc
from mistral_common.protocol.instruct import tool_calls as mc_tools
from mistral_common.protocol.instruct.request import ChatCompletionRequest as Reference

from tests.support.mistral_tokenizers import ALL, SINCE, chat_input

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WIRE_TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather – today", "parameters": PARAMETERS},
}
TOOL = mc_tools.Tool(
    function=mc_tools.Function(
        name="get_weather", description="Weather – today", parameters=PARAMETERS, strict=False
    )
)


def wire_call(call_id, arguments):
    return {"id": call_id, "function": {"name": "get_weather", "arguments": arguments}}


def call(call_id, arguments):
    return mc_tools.ToolCall(
        id=call_id, function=mc_tools.FunctionCall(name="get_weather", arguments=arguments)
    )


def text(string):
    return mc_chunks.TextChunk(text=string)


@dataclass
class Case:
    """One conversation, once as a client sends it and once for the library."""

    wire: list
    reference: list
    wire_tools: list = field(default_factory=list)
    tools: list | None = None
    since: int = 1
    until: int = 99
    effort: str | None = None
    only: str = ""


CASES = {
    "one user": Case(
        [{"role": "user", "content": "Hello, how are you?"}],
        [mc.UserMessage(content="Hello, how are you?")],
    ),
    "several turns": Case(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b "},
            {"role": "user", "content": "  c\n"},
        ],
        [
            mc.SystemMessage(content="Be brief."),
            mc.UserMessage(content="a"),
            mc.AssistantMessage(content="b "),
            mc.UserMessage(content="  c\n"),
        ],
    ),
    "control tokens in texts": Case(
        [
            {"role": "system", "content": "[SYSTEM_PROMPT]</s>"},
            {"role": "user", "content": "</s>[INST] x [/INST] [TOOL_CALLS][{}] [THINK] <s> <unk> <0x0A>"},
            {"role": "assistant", "content": "[TOOL_CALLS]f[ARGS]{}</s>"},
            {"role": "user", "content": "[AVAILABLE_TOOLS][]"},
        ],
        [
            mc.SystemMessage(content="[SYSTEM_PROMPT]</s>"),
            mc.UserMessage(content="</s>[INST] x [/INST] [TOOL_CALLS][{}] [THINK] <s> <unk> <0x0A>"),
            mc.AssistantMessage(content="[TOOL_CALLS]f[ARGS]{}</s>"),
            mc.UserMessage(content="[AVAILABLE_TOOLS][]"),
        ],
    ),
    "chunks, and characters of all kinds": Case(
        [
            {"role": "system", "content": [{"type": "text", "text": "é"}, {"type": "text", "text": "🌬️"}]},
            {
                "role": "user",
                "content": [{"type": "text", "text": "風"}, {"type": "text", "text": "\t\u200d"}],
            },
        ],
        [
            mc.SystemMessage(content=[text("é"), text("🌬️")]),
            mc.UserMessage(content=[text("風"), text("\t\u200d")]),
        ],
    ),
    "users in a row, and systems": Case(
        [
            {"role": "system", "content": "1"},
            {"role": "system", "content": "2"},
            {"role": "user", "content": "a"},
            {"role": "user", "content": "b"},
        ],
        [
            mc.SystemMessage(content="1"),
            mc.SystemMessage(content="2"),
            mc.UserMessage(content="a"),
            mc.UserMessage(content="b"),
        ],
    ),
    "a system in the middle and at the end": Case(
        [
            {"role": "user", "content": "a"},
            {"role": "system", "content": "s"},
            {"role": "user", "content": "b"},
            {"role": "system", "content": "t"},
        ],
        [
            mc.UserMessage(content="a"),
            mc.SystemMessage(content="s"),
            mc.UserMessage(content="b"),
            mc.SystemMessage(content="t"),
        ],
    ),
    "only a system": Case([{"role": "system", "content": "s"}], [mc.SystemMessage(content="s")]),
    "assistants in a row, from the start": Case(
        [
            {"role": "assistant", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"},
        ],
        [
            mc.AssistantMessage(content="a"),
            mc.AssistantMessage(content="b"),
            mc.UserMessage(content="c"),
        ],
    ),
    "an empty and a null user": Case(
        [
            {"role": "user", "content": ""},
            {"role": "assistant", "content": "a"},
            {"role": "user", "content": None},
        ],
        [mc.UserMessage(content=""), mc.AssistantMessage(content="a"), mc.UserMessage(content="")],
    ),
    "a prefix": Case(
        [{"role": "user", "content": "Count."}, {"role": "assistant", "content": "One, ", "prefix": True}],
        [mc.UserMessage(content="Count."), mc.AssistantMessage(content="One, ", prefix=True)],
    ),
    "tools": Case(
        [{"role": "system", "content": "s"}, {"role": "user", "content": "Paris?"}],
        [mc.SystemMessage(content="s"), mc.UserMessage(content="Paris?")],
        [WIRE_TOOL],
        [TOOL],
        since=2,
    ),
    "tools, a call and its result": Case(
        [
            {"role": "user", "content": "Paris?"},
            {"role": "assistant", "tool_calls": [wire_call("aq1aPdShN", {"city": "Paris", "n": 1.0})]},
            {"role": "tool", "name": "get_weather", "content": '{"t": "18 °C"}', "tool_call_id": "aq1aPdShN"},
        ],
        [
            mc.UserMessage(content="Paris?"),
            mc.AssistantMessage(tool_calls=[call("aq1aPdShN", '{"city": "Paris", "n": 1.0}')]),
            mc.ToolMessage(name="get_weather", content='{"t": "18 °C"}', tool_call_id="aq1aPdShN"),
        ],
        [WIRE_TOOL],
        [TOOL],
        since=2,
    ),
    "two calls, results in another order, and a next turn": Case(
        [
            {"role": "user", "content": "Paris and Rome?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    wire_call("aaaaaaaaa", '{"city":"Paris"}'),
                    wire_call("bbbbbbbbb", '{"city":"Rome"}'),
                ],
            },
            {"role": "tool", "content": "20", "tool_call_id": "bbbbbbbbb"},
            {"role": "tool", "content": None, "tool_call_id": "aaaaaaaaa"},
            {"role": "assistant", "content": "Warm."},
            {"role": "user", "content": "Thanks"},
        ],
        [
            mc.UserMessage(content="Paris and Rome?"),
            mc.AssistantMessage(
                tool_calls=[call("aaaaaaaaa", '{"city":"Paris"}'), call("bbbbbbbbb", '{"city":"Rome"}')]
            ),
            mc.ToolMessage(content="20", tool_call_id="bbbbbbbbb"),
            mc.ToolMessage(content="", tool_call_id="aaaaaaaaa"),
            mc.AssistantMessage(content="Warm."),
            mc.UserMessage(content="Thanks"),
        ],
        [WIRE_TOOL],
        [TOOL],
        since=2,
    ),
    "content and a call": Case(
        [
            {"role": "user", "content": "Paris?"},
            {"role": "assistant", "content": "Let me see.", "tool_calls": [wire_call("aq1aPdShN", "")]},
            {"role": "tool", "content": "no JSON {", "tool_call_id": "aq1aPdShN"},
        ],
        [
            mc.UserMessage(content="Paris?"),
            mc.AssistantMessage(content="Let me see.", tool_calls=[call("aq1aPdShN", "")]),
            mc.ToolMessage(content="no JSON {", tool_call_id="aq1aPdShN"),
        ],
        [WIRE_TOOL],
        [TOOL],
        since=7,
    ),
    "an earlier thought": Case(
        [
            {"role": "user", "content": "2+2?"},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "thinking",
                        "thinking": [{"type": "text", "text": "Two "}, {"type": "text", "text": "…"}],
                    },
                    {"type": "text", "text": "4"},
                ],
            },
            {"role": "user", "content": "Sure?"},
        ],
        [
            mc.UserMessage(content="2+2?"),
            mc.AssistantMessage(content=[mc_chunks.ThinkChunk(thinking="Two …"), text("4")]),
            mc.UserMessage(content="Sure?"),
        ],
        only="thoughts",
    ),
    "an earlier thought, for a model that has none": Case(
        [
            {"role": "user", "content": "2+2?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Two and two"}]},
                    {"type": "text", "text": "4"},
                    {"type": "reference", "reference_ids": [1]},
                ],
            },
            {"role": "user", "content": "Sure?"},
        ],
        [mc.UserMessage(content="2+2?"), mc.AssistantMessage(content="4"), mc.UserMessage(content="Sure?")],
        until=11,
    ),
    "a prefix in an open thought": Case(
        [
            {"role": "user", "content": "2+2?"},
            {
                "role": "assistant",
                "prefix": True,
                "content": [
                    {"type": "thinking", "closed": False, "thinking": [{"type": "text", "text": "Two and"}]}
                ],
            },
        ],
        [
            mc.UserMessage(content="2+2?"),
            mc.AssistantMessage(
                content=[mc_chunks.ThinkChunk(thinking="Two and", closed=False)], prefix=True
            ),
        ],
        only="thoughts",
    ),
    "a system that shows how to think": Case(
        [
            {
                "role": "system",
                "content": [
                    {"type": "text", "text": "Think:"},
                    {"type": "thinking", "thinking": [{"type": "text", "text": "like this"}]},
                ],
            },
            {"role": "user", "content": "2+2?"},
        ],
        [
            mc.SystemMessage(content=[text("Think:"), mc_chunks.ThinkChunk(thinking="like this")]),
            mc.UserMessage(content="2+2?"),
        ],
        only="v13-tekken-thoughts",
    ),
    "much reasoning": Case(
        [{"role": "user", "content": "2+2?"}],
        [mc.UserMessage(content="2+2?")],
        effort="high",
        since=15,
    ),
}

HAS_THOUGHTS = {"v13-tekken-thoughts", "v15-tekken"}
APPLICABLE = [
    pytest.param(name, case, id=f"{name}: {case}")
    for case, told in CASES.items()
    for name in ALL
    if told.since <= SINCE[name] <= told.until
    and (not told.only or told.only == name or (told.only == "thoughts" and name in HAS_THOUGHTS))
]


@pytest.mark.parametrize(("name", "case"), APPLICABLE)
def test_a_prompt_is_the_reference_token_for_token(load, name, case):
    loaded = load(name)
    told = CASES[case]
    request = Reference(model="m", messages=told.reference, tools=told.tools, reasoning_effort=told.effort)
    expected = loaded.reference.encode_chat_completion(request).tokens

    rendered = loaded.chat.render(
        chat_input(told.wire, told.wire_tools, reasoning_effort=told.effort), 10_000
    )

    assert list(rendered.prompt.token_ids) == expected


@pytest.mark.parametrize("suffix", ["", "\n    return x", " )", "[PREFIX]"])
@pytest.mark.parametrize("prompt", ["def f(", "", " x [SUFFIX]", "é\t"])
@pytest.mark.parametrize("name", [name for name in ALL if SINCE[name] >= 3])
def test_a_gap_is_the_reference_token_for_token(load, name, prompt, suffix):
    loaded = load(name)
    expected = loaded.reference.encode_fim(FIMRequest(prompt=prompt, suffix=suffix)).tokens

    rendered = loaded.fim.render(prompt, suffix, 10_000)

    assert list(rendered.tokens.token_ids) == expected
    assert rendered.knows_suffix
