import json

import pytest
from jsonschema import Draft202012Validator

from tests.support.ebnf import Ebnf
from tests.support.schema_features import ENFORCED, REFUSED
from tramontane.errors import SchemaError, ToolSchemaError
from tramontane.prompts.grammar.builder import GrammarBuilder


def grammar_of(schema):
    builder = GrammarBuilder()
    return Ebnf(builder.build(builder.schema(schema)))


def text_of(value):
    return json.dumps(value, ensure_ascii=False)


def named(rows):
    return [pytest.param(row, id=row.feature.replace("`", "")) for row in rows]


@pytest.mark.parametrize("row", named(ENFORCED))
def test_what_is_valid_can_be_said_and_nothing_else(row):
    grammar = grammar_of(row.schema)
    validator = Draft202012Validator(row.schema, format_checker=Draft202012Validator.FORMAT_CHECKER)

    assert [value for value in row.accepted if not validator.is_valid(value)] == []
    assert [value for value in row.accepted if not grammar.accepts(text_of(value))] == []
    assert [value for value in row.refused if grammar.accepts(text_of(value))] == []


@pytest.mark.parametrize("row", named(REFUSED))
def test_what_cannot_be_enforced_is_refused_by_name(row):
    with pytest.raises(SchemaError) as error:
        grammar_of(row.schema)
    assert row.says in error.value.message
    assert error.value.message.startswith("Invalid json_schema: ")


def test_an_error_names_the_place():
    with pytest.raises(SchemaError) as error:
        grammar_of({"properties": {"a b": {"type": "array", "items": {"anyOf": [{}, {"not": {}}]}}}})
    assert error.value.message == (
        "Invalid json_schema: $.properties['a b'].items.anyOf[1]: `not` cannot be enforced"
    )


def test_errors_of_tools_are_in_the_words_for_tools():
    builder = GrammarBuilder()
    with pytest.raises(ToolSchemaError, match=r"^Invalid tool schema: \$\.properties\.a: `not` cannot"):
        builder.schema({"properties": {"a": {"not": {}}}}, ToolSchemaError)


def test_annotations_ask_for_nothing():
    notes = {"title": "T", "description": "d", "default": 0, "examples": [1], "$schema": "…", "x-own": 1}
    assert grammar_of({"type": "integer", **notes}) == grammar_of({"type": "integer"})


def test_blanks_are_those_of_json_dumps():
    grammar = grammar_of({})
    assert grammar.accepts('{"a": [1, 2]}')
    for text in ('{"a":[1, 2]}', '{"a": [1,2]}', '{ "a": 1}', '{"a": 1} ', " 1", '{"a":\n1}'):
        assert not grammar.accepts(text)


def test_strings_are_unicode_and_escapes_are_whole():
    grammar = grammar_of({"type": "string"})
    for text in ('"é😀\x7f"', r'"\u00e9\n\/\""', r'"\ud83d\uDE00"'):
        assert grammar.accepts(text)
    for text in ('"\n"', r'"\x41"', r'"\u12"', r'"\ud83d"', r'"\ude00\ud83d"', '"', '"""'):
        assert not grammar.accepts(text)


def test_a_second_value_cannot_replace_the_first():
    grammar = grammar_of({"properties": {"a": {"type": "integer"}}, "additionalProperties": {}})
    assert grammar.accepts('{"a": 1, "b": "x"}')
    assert not grammar.accepts('{"a": 1, "a": "x"}')
    assert not grammar.accepts(r'{"a": 1, "\u0061": "x"}')
