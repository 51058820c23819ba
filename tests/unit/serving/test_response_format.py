import json
from dataclasses import replace

import pytest

from tests.support.ebnf import Ebnf
from tests.support.metering import FreeMetering
from tests.support.scripted_engine import CONTEXT, ScriptedEngine, catalog_of
from tramontane.core.output_format import NamedCalls, OutputFormat, TaggedCalls
from tramontane.engines.protocol import Ability
from tramontane.errors import FeatureNotEnabledError, InvalidRequestError, SchemaError
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.serving.chat import ChatService
from tramontane.serving.constraints import constraint_of
from tramontane.serving.response_format import answer_format
from tramontane.serving.tools import tool_use

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {"const": 1}}}}}
ABLE = frozenset({Ability.GRAMMAR})


def asking(**fields):
    fields = {"messages": [{"role": "user", "content": "Hi"}]} | fields
    return ChatCompletionRequest.model_validate({"model": "chat", **fields})


def constrained(output_format=OutputFormat(TaggedCalls()), abilities=ABLE, **fields):  # noqa: B008
    request = asking(**fields)
    constraint = constraint_of(tool_use(request), output_format, abilities, answer_format(request))
    return constraint.grammar and Ebnf(constraint.grammar)


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


def test_calls_that_a_grammar_cannot_begin_are_refused_beside_a_form():
    with pytest.raises(InvalidRequestError, match="set tool_choice to none, any or one function"):
        constrained(OutputFormat(NamedCalls(start=1, arguments=2)), response_format=JSON_SCHEMA, tools=[TOOL])


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
