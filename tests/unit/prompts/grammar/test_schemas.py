"""Properties of the grammars of all schemas."""

import json
import random
import re

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.support.ebnf import Ebnf
from tests.support.json_schemas import SCHEMAS
from tramontane.errors import SchemaError
from tramontane.prompts.grammar.builder import GrammarBuilder


def grammar_of(schema):
    builder = GrammarBuilder()
    return Ebnf(builder.build(builder.schema(schema)))


def validator_of(schema):
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(SCHEMAS, st.integers(0, 2**32))
def test_all_that_a_grammar_spells_is_valid(schema, seed):
    try:
        grammar = grammar_of(schema)
    except SchemaError as error:
        # Bounds and alternatives that are drawn at random may leave nothing.
        reject() if "no finite value" in error.message else pytest.fail(error.message)
    rng, validator = random.Random(seed), validator_of(schema)
    for _ in range(8):
        text = grammar.sample(rng)
        value = json.loads(text)
        errors = [error.message for error in validator.iter_errors(value)]
        assert not errors, (text, schema)
        assert grammar.accepts(text)


@st.composite
def closed_objects_with_a_value(draw):
    """A closed schema of scalars and lists, and a value that is valid for it, made side by side."""
    pairs = {
        "integer": st.integers(-(10**17), 10**17),
        "number": st.floats(allow_nan=False, allow_infinity=False, width=32),
        "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    names = draw(
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), unique=True, max_size=5)
    )
    properties, value, required = {}, {}, []
    for name in names:
        kind = draw(st.sampled_from(sorted(pairs)))
        is_list, is_required = draw(st.booleans()), draw(st.booleans())
        item = {"type": kind}
        properties[name] = {"type": "array", "items": item} if is_list else item
        if is_required:
            required.append(name)
        if is_required or draw(st.booleans()):
            value[name] = draw(st.lists(pairs[kind], max_size=3) if is_list else pairs[kind])
    return {"type": "object", "properties": properties, "required": required}, value


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(closed_objects_with_a_value())
def test_valid_values_can_be_said(schema_and_value):
    schema, value = schema_and_value
    assert validator_of(schema).is_valid(value)
    assert grammar_of(schema).accepts(spelled(value))


@pytest.mark.parametrize("text", ["0.004999999888241291", "0.0001234567890123456", "1.2345678901234567e-07"])
def test_a_double_can_be_written_out(text):
    assert grammar_of({"type": "number"}).accepts(text)


def spelled(value):
    """With escapes for characters of the last plane, which stand for control tokens in a grammar."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\U00100000-\U0010ffff]", lambda match: json.dumps(match[0])[1:-1], text)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": "é\U00100009"}, "é\U00100009"),
        ({"enum": [{"\U00100009": 1}]}, {"\U00100009": 1}),
        ({"properties": {"\U00100009": {"const": 1}}}, {"\U00100009": 1}),
        ({"type": "string", "pattern": "^[\U00100009-\U0010000a]x$"}, "\U00100009x"),
        ({"type": "string", "pattern": "^\U00100009$"}, "\U00100009"),
    ],
)
def test_nothing_in_a_schema_can_spell_a_control_token(schema, value):
    grammar = grammar_of(schema)
    assert grammar.accepts(spelled(value))
    assert not grammar.accepts(json.dumps(value, ensure_ascii=False))


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "string"}, {"type": "string", "maxLength": 3}, {"type": "string", "pattern": "^.$"},
     {"type": "string", "pattern": "^[^a]$"}, {"type": "object", "propertyNames": {"minLength": 1}}],
)  # fmt: skip
def test_no_text_holds_a_control_token(schema):
    grammar = grammar_of(schema)
    for value in ("\U000fffff", {"\U000fffff": "\U000fffff"}):
        if validator_of(schema).is_valid(value):
            text = json.dumps(value, ensure_ascii=False)
            assert grammar.accepts(text)
            assert not grammar.accepts(text.replace("\U000fffff", "\U00100000"))


def refusal_of(schema):
    """What is said against it, or None; of a schema that takes the builder for ever this never returns."""
    try:
        builder = GrammarBuilder()
        builder.build(builder.schema(schema))
    except SchemaError as error:
        return error.message
    return None


def deep(levels):
    schema: dict = {"type": "null"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"properties": {str(i): {} for i in range(5000)}}, "more than 512 names"),
        (deep(3000), "nested deeper than 64 levels"),
        ({"enum": [[1] * 10] * 5000}, "more than 20000 values"),
        ({"$ref": "#"}, "refers to itself"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "itself"),
        (
            {"allOf": [{"anyOf": [{"minimum": i}, {"maximum": i}]} for i in range(40)]},
            "more than 256 alternatives",
        ),
        ({"type": "string", "maxLength": 10**9}, "at most 4096"),
        ({"type": "string", "pattern": "(" * 5000}, "nested too deeply"),
        ({"type": "string", "pattern": "(((a{1000}){1000}){1000}){1000}"}, "too complex"),
        ({"type": "string", "pattern": "((.?){1000}){1000}"}, "too complex"),
        ({"type": "string", "pattern": "(.*a){200}" * 9}, "too complex"),
        ({"type": "string", "pattern": "[ab]*a[ab]{30}"}, "too complex"),
        ({"type": "string", "pattern": "^.{1000}$"}, "too large a grammar"),
        ({"type": "string", "pattern": "|".join(map(str, range(9000)))}, "too complex"),
        ({"properties": {str(i): {"pattern": f"[ab]*a[ab]{{9}}{i}"} for i in range(400)}}, "too complex"),
        ({"type": "array", "maxItems": 10**6}, "at most 1024"),
        ({"type": "object", "minProperties": 10**6}, "at most 1024"),
        ({"$ref": "#/properties/" + "9" * 5000}, "leads nowhere"),
    ],
)
def test_a_hostile_schema_is_refused_at_once(schema, says):
    assert says in refusal_of(schema)


def test_references_that_double_at_each_step_are_one_reference():
    schemas = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(30)}
    assert refusal_of({"$defs": schemas | {"d30": {"type": "null"}}, "$ref": "#/$defs/d0"}) is None


def test_a_large_honest_schema_is_built():
    properties = {f"property_{i}": {"type": "string"} for i in range(500)}
    assert refusal_of({"type": "object", "properties": properties}) is None
    assert refusal_of({"type": "object", "properties": properties, "required": list(properties)}) is None


@pytest.mark.parametrize(
    ("least", "most"),
    [(0, 0), (0, 64), (0, 65), (1, None), (33, None), (40, 64), (60, 70), (100, 100), (100, 300)],
)
def test_lengths_are_exact(least, most):
    grammar = grammar_of(
        {"type": "string", "minLength": least} | ({} if most is None else {"maxLength": most})
    )
    for length in {
        0,
        1,
        least - 1,
        least,
        least + 1,
        least + 31,
        most or 100,
        (most or 100) - 1,
        (most or 100) + 1,
    }:
        fits = least <= length and (most is None or length <= most)
        assert length < 0 or grammar.accepts(json.dumps('"é' * (length // 2) + "x" * (length % 2))) == fits


@pytest.mark.parametrize("seed", range(60))
def test_bounds_of_numbers_are_exact(seed):
    rng = random.Random(seed)
    low, high = sorted(
        rng.choice([0, 1, -1, rng.randint(-1200, 1200), rng.randint(-99, 99)]) for _ in range(2)
    )
    if rng.random() < 0.3:
        low, high = low / 8, high / 8
    lower, upper = rng.choice(["minimum", "exclusiveMinimum"]), rng.choice(["maximum", "exclusiveMaximum"])
    bounds = rng.choice([{lower: low, upper: high}, {lower: low}, {upper: high}])
    near = {round(bound + step, 3) for bound in (low, high) for step in (0, 1, -1, 0.001, -0.001, 0.5, 9.125)}
    for kind, values in (("integer", range(-1300, 1300, 61)), ("number", near)):
        schema = {"type": kind} | bounds
        validator = validator_of(schema)
        try:
            grammar = grammar_of(schema)
        except SchemaError:
            assert not any(validator.is_valid(value) for value in [*values, *near])
            continue
        for value in [*values, *(near if kind == "number" else map(int, near))]:
            assert grammar.accepts(json.dumps(value)) == validator.is_valid(value), (schema, value)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(\w+ ?)+",
        "^(a|ab|abc)*c?$",
        "x{2,3}y*|z",
        "^(?:0|[1-9][0-9]*)$",
        "^(.|..)*$",
        "[^abc]$",
        "a.c",
        "^$|^b",
    ],
)
@given(text=st.text("abcxyz01 .", max_size=9))
def test_patterns_mean_what_they_mean(pattern, text):
    grammar = grammar_of({"type": "string", "pattern": pattern})
    assert grammar.accepts(json.dumps(text)) == (re.search(pattern, text) is not None)
