import json
from dataclasses import replace

import pytest

from tests.support.ebnf import Ebnf
from tests.support.metering import FreeMetering
from tests.support.scripted_engine import CONTEXT, ScriptedEngine, catalog_of
from tramontane.core.output_format import (
    NamedCalls,
    OutputFormat,
    Section,
    TaggedCalls,
    TaggedThoughts,
    TokenThoughts,
)
from tramontane.engines.protocol import Ability, EngineInfo
from tramontane.errors import FeatureNotEnabledError, InvalidRequestError, SchemaError
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.serving.chat import ChatService
from tramontane.serving.constraints import Beginning, Constraint, Demand
from tramontane.serving.response_format import answer_format
from tramontane.serving.tools import tool_use

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {"const": 1}}}}}
ABLE = frozenset({Ability.GRAMMAR})
CHARACTERS = {token: chr(0x100000 + token) for token in range(8)}
CALLS, ARGS, THINK, THINK_END = (CHARACTERS[token] for token in range(1, 5))
NAMED = OutputFormat(NamedCalls(1, 2), TokenThoughts(3, 4))


def asking(**fields):
    fields = {"messages": [{"role": "user", "content": "Hi"}]} | fields
    return ChatCompletionRequest.model_validate({"model": "chat", **fields})


def constrained(
    output_format=OutputFormat(TaggedCalls()),  # noqa: B008
    abilities=ABLE,
    beginning=Beginning(),  # noqa: B008
    characters=CHARACTERS,
    **fields,
):
    request = asking(**fields)
    info = EngineInfo("e", 300, 100, slots=1, abilities=abilities, control_characters=characters)
    demand = Demand(tool_use(request), answer_format(request))
    grammar = Constraint(demand, output_format, info).grammar(beginning)
    return grammar and Ebnf(grammar)


def engine_with(*abilities, **options):
    engine = ScriptedEngine('{"a": 1}', **options)
    engine.info = replace(engine.info, abilities=frozenset(abilities))
    return engine


async def completed(engine, request):
    return await ChatService(catalog_of(engine), FreeMetering()).complete(CONTEXT, request)


@pytest.mark.parametrize("fields", [{}, {"response_format": {"type": "text"}}])
def test_text_is_free(fields):
    assert constrained(**fields) is None


def test_json_mode_is_any_object():
    grammar = constrained(response_format={"type": "json_object"})
    assert grammar.accepts('{"b": [1, null]}')
    assert not grammar.accepts("[1]")


@pytest.mark.parametrize("strict", [True, False])
def test_a_schema_is_enforced_strict_or_not(strict):
    json_schema = JSON_SCHEMA["json_schema"] | {"strict": strict}
    grammar = constrained(response_format={"type": "json_schema", "json_schema": json_schema})
    assert grammar.accepts('{"a": 1}')
    assert not grammar.accepts("{}")


def test_a_model_may_call_instead_of_an_answer_in_its_form():
    grammar = constrained(response_format=JSON_SCHEMA, tools=[TOOL])
    assert grammar.accepts('{"a": 1}')
    assert grammar.accepts('<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>')
    assert not grammar.accepts("Hello")


def test_tools_that_must_not_be_called_are_not():
    grammar = constrained(response_format=JSON_SCHEMA, tools=[TOOL], tool_choice="none")
    assert grammar.accepts('{"a": 1}')
    assert not grammar.accepts('<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>')


def test_a_forced_call_comes_before_the_form():
    grammar = constrained(response_format=JSON_SCHEMA, tools=[TOOL], tool_choice="any")
    assert not grammar.accepts('{"a": 1}')
    assert grammar.accepts('<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>')


def test_calls_that_control_tokens_mark_can_come_instead_of_an_answer_too():
    grammar = constrained(NAMED, response_format=JSON_SCHEMA, tools=[TOOL])
    assert grammar.accepts('{"a": 1}')
    assert grammar.accepts(f'{CALLS}f{ARGS}{{"x": 1}}')
    assert not grammar.accepts(f'{THINK}Hm.{THINK_END}{{"a": 1}}')


@pytest.mark.parametrize(
    ("output_format", "thought"),
    [
        (NAMED, f"{THINK}Let me see: {{.{THINK_END}"),
        (OutputFormat(None, TaggedThoughts()), "<think>\nLet me see: {.</thi\n</think>\n\n"),
    ],
)
def test_a_model_that_is_asked_to_think_may_do_so_before_it_obeys(output_format, thought):
    thinking = Beginning(thinks=True)
    grammar = constrained(output_format, beginning=thinking, response_format=JSON_SCHEMA)
    assert grammar.accepts(thought + '{"a": 1}')
    assert grammar.accepts('{"a": 1}')
    assert not grammar.accepts(thought + "Hello")
    assert not grammar.accepts(thought)


def test_a_thought_that_the_prompt_begins_is_ended_first():
    begun = Beginning(Section.THOUGHT)
    grammar = constrained(NAMED, beginning=begun, tools=[TOOL], tool_choice="any")
    assert grammar.accepts(f'Hm.{THINK_END}{CALLS}f{ARGS}{{"x": 1}}')
    assert not grammar.accepts(f'{CALLS}f{ARGS}{{"x": 1}}')


def test_strict_functions_are_obeyed_behind_any_text_and_thought():
    strict = {"type": "function", "function": TOOL["function"] | {"strict": True}}
    grammar = constrained(NAMED, tools=[strict])
    call = f'{CALLS}f{ARGS}{{"x": 1}}'
    for before in ("", "Hello.", f"{THINK}Hm.{THINK_END}So."):
        assert grammar.accepts(before)
        assert grammar.accepts(before + call)
        assert not grammar.accepts(before + call.replace("1", "2"))


def test_a_blank_that_the_tokenizer_puts_before_text_is_free():
    grammar = constrained(beginning=Beginning(drops_blank=True), response_format=JSON_SCHEMA)
    assert grammar.accepts('{"a": 1}')
    assert grammar.accepts(' {"a": 1}')
    assert not constrained(response_format=JSON_SCHEMA).accepts(' {"a": 1}')


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
     ({"tools": [TOOL], "response_format": JSON_SCHEMA}, "response_format")],
)  # fmt: skip
def test_an_engine_that_cannot_spell_the_marks_refuses_by_name(fields, name):
    with pytest.raises(FeatureNotEnabledError, match=f"{name} is not enabled for this model"):
        constrained(NAMED, characters={}, **fields)


def test_an_engine_without_grammars_refuses_by_name():
    with pytest.raises(FeatureNotEnabledError, match="response_format is not enabled for this model"):
        constrained(abilities=frozenset(), response_format=JSON_SCHEMA)


def test_a_script_is_trusted_and_its_schema_checked_all_the_same():
    scripted = frozenset({Ability.SCRIPTED})
    assert constrained(abilities=scripted, response_format=JSON_SCHEMA) is None
    refused = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"not": {}}}}
    with pytest.raises(SchemaError):
        constrained(abilities=scripted, response_format=refused)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"response_format": {"type": "json_schema"}}, "requires json_schema"),
        (
            {
                "response_format": {"type": "json_object"},
                "messages": [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": "{", "prefix": True},
                ],
            },
            "cannot be combined with a prefix",
        ),
    ],
)
def test_what_cannot_be_is_refused(fields, says):
    with pytest.raises(InvalidRequestError, match=says):
        constrained(**fields)


@pytest.mark.anyio
async def test_the_engine_gets_the_grammar_and_the_model_the_schema():
    engine = engine_with(Ability.GRAMMAR)
    completion = await completed(engine, asking(response_format=JSON_SCHEMA))
    assert completion.choices[0].text == '{"a": 1}'
    assert Ebnf(engine.params[0].grammar).accepts('{"a": 1}')
    instruction = "Your output should be an instance of a JSON object following this schema: "
    assert engine.prompts == [f"system\n{instruction}{json.dumps(SCHEMA)}\nuser\nHi\nassistant\n"]


@pytest.mark.anyio
async def test_json_mode_leaves_the_prompt_as_it_is():
    engine = engine_with(Ability.GRAMMAR)
    await completed(engine, asking(response_format={"type": "json_object"}))
    assert engine.prompts == ["user\nHi\nassistant\n"]


@pytest.mark.anyio
async def test_a_refused_schema_never_reaches_the_engine():
    engine = engine_with(Ability.GRAMMAR)
    refused = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"uniqueItems": True}}}
    with pytest.raises(SchemaError, match="`uniqueItems` cannot be enforced"):
        await completed(engine, asking(response_format=refused))
    assert engine.log == []
