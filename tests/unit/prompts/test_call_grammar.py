import json
import random

import pytest
from jsonschema import Draft7Validator

from tests.support.ebnf import Ebnf
from tramontane.core.output_format import ListedCalls, NamedCalls, OutputFormat, TaggedCalls
from tramontane.core.vocabulary import Vocabulary
from tramontane.errors import ToolSchemaError
from tramontane.parsing.parser import AnswerParser
from tramontane.prompts.call_grammar import calls, text_and_calls
from tramontane.prompts.grammar.builder import GrammarBuilder
from tramontane.schemas.tools import Function, Tool

CITY = {"type": "object", "properties": {"city": {"enum": ["Paris", "Nice"]}}, "required": ["city"]}
ANYTHING = {"properties": {"a": {"type": "integer"}}, "additionalProperties": False}
TOOLS = [
    Tool(function=Function(name="weather", parameters=CITY | {"additionalProperties": False})),
    Tool(function=Function(name="other", parameters=ANYTHING)),
]
NICE = '<tool_call>\n{"name": "weather", "arguments": {"city": "Nice"}}\n</tool_call>'
OTHER = '<tool_call>\n{"name": "other", "arguments": {}}\n</tool_call>'
WEATHER = '{"name": "weather", "arguments": {"city": "Nice"}}'
CALLS, ARGS, CALL_ID = range(256, 259)
CHARACTERS = {token: chr(0x100000 + token) for token in (CALLS, ARGS, CALL_ID)}
MARK, ARGS_MARK, ID_MARK = CHARACTERS.values()
TAG_TOKENS = {"<tool_call>": CALLS, "</tool_call>": ARGS}
VOCABULARY = Vocabulary(
    [bytes([value]) for value in range(256)] + [b"<tool_call>", b"</tool_call>", b"[CALL_ID]"],
    special_ids=frozenset(CHARACTERS),
)
FORMATS = [
    TaggedCalls(),
    TaggedCalls(tokens=TAG_TOKENS),
    ListedCalls(CALLS),
    ListedCalls(CALLS, after_blank=True),
    NamedCalls(CALLS, ARGS),
    NamedCalls(CALLS, ARGS, CALL_ID),
]


def grammar(form, tools=TOOLS, max_calls=None):
    builder = GrammarBuilder(CHARACTERS)
    return Ebnf(builder.build(calls(builder, tools, form, max_calls)))


def token_ids(text):
    """As a model that obeys the grammar would write it, byte by byte."""
    tokens = {character: token for token, character in CHARACTERS.items()}
    return [i for c in text for i in ([tokens[c]] if c in tokens else c.encode())]


@pytest.mark.parametrize("max_calls", [None, 1])
@pytest.mark.parametrize("form", FORMATS)
def test_whatever_the_grammar_allows_is_read_as_valid_calls(form, max_calls):
    ebnf, rng = grammar(form, max_calls=max_calls), random.Random(0)
    schemas = {tool.function.name: tool.function.parameters for tool in TOOLS}
    for _ in range(100):
        parser = AnswerParser(VOCABULARY, output_format=OutputFormat(form), max_calls=max_calls)
        assert not any(parser.feed(token_ids(ebnf.sample(rng))) + parser.flush())
        assert parser.found.calls
        assert len(parser.found.calls) == (max_calls or len(parser.found.calls))
        for call in parser.found.calls:
            arguments = json.loads(call.arguments)
            assert isinstance(arguments, dict)
            Draft7Validator(schemas[call.name]).validate(arguments)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (TaggedCalls(), f"<tool_call>\n{WEATHER}\n</tool_call>"),
        (TaggedCalls(tokens=TAG_TOKENS), f"{MARK}\n{WEATHER}\n{ARGS_MARK}"),
        (ListedCalls(CALLS), f"{MARK}[{WEATHER}]"),
        (ListedCalls(CALLS, after_blank=True), f"{MARK} [{WEATHER}]"),
        (ListedCalls(CALLS), f'{MARK}[{WEATHER[:-1]}, "id": "aB3dEf7hI"}}]'),
        (NamedCalls(CALLS, ARGS), f'{MARK}weather{ARGS_MARK}{{"city": "Nice"}}'),
        (NamedCalls(CALLS, ARGS, CALL_ID), f'{MARK}weather{ID_MARK}aB3dEf7hI{ARGS_MARK}{{"city": "Nice"}}'),
    ],
)
def test_calls_are_written_as_the_model_writes_them(form, text):
    assert grammar(form).accepts(text)
    assert not grammar(form).accepts(text.replace("Nice", "Rome"))
    assert not grammar(form).accepts(text.replace("weather", "whether"))
    assert not grammar(form).accepts("")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (TaggedCalls(), '<tool_call>\n{"name": "other", "arguments": {}}\n</tool_call>'),
        (NamedCalls(CALLS, ARGS), f"{MARK}other{ARGS_MARK}{{}}"),
    ],
)
def test_more_calls_than_one_only_where_they_may_be(form, text):
    two = ("\n" if isinstance(form, TaggedCalls) else "").join((text, text))
    assert grammar(form).accepts(two)
    assert grammar(form, max_calls=1).accepts(text)
    assert not grammar(form, max_calls=1).accepts(two)


def test_a_schema_that_cannot_be_enforced_is_refused_as_the_tools():
    tool = Tool(function=Function(name="f", parameters={"type": "object", "not": {"required": ["a"]}}))
    with pytest.raises(ToolSchemaError, match=r"^Invalid tool schema: "):
        grammar(TaggedCalls(), [tool])


STRICT = [
    Tool(function=TOOLS[0].function.model_copy(update={"strict": True})),
    TOOLS[1],
]


def free_grammar(max_calls=None):
    builder = GrammarBuilder()
    return Ebnf(builder.build(text_and_calls(builder, STRICT, TaggedCalls(), max_calls)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello, 🌬!",
        "a < b <t <<tool_cal <tool_<tool_",
        "<tool_call",
        "I look.\n" + NICE,
        NICE,
        f"<tool_{NICE}",
        f"{NICE}\n{OTHER}",
    ],
)
def test_a_model_with_strict_functions_may_write_what_it_likes(text):
    assert free_grammar().accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>",
        "Write <tool_call> around it.",
        NICE.replace("Nice", "Rome"),
        f"a {NICE} b",
        NICE.removesuffix("</tool_call>"),
    ],
)
def test_but_what_it_begins_to_call_is_valid(text):
    assert not free_grammar().accepts(text)


def test_a_function_that_is_not_strict_takes_any_object():
    assert free_grammar().accepts(OTHER.replace("{}", '{"whatever": [1]}'))
    assert not free_grammar(max_calls=1).accepts(f"{NICE}\n{OTHER}")
