"""What is enforced of JSON Schema, row by row: the tables of docs/structured-output.md, and their tests."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Enforced:
    """A feature, and values that show it. Values that are `refused` would be accepted without it."""

    feature: str
    note: str
    schema: Any
    accepted: list[Any]
    refused: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Refused:
    """A feature, what to do instead, and a schema that has it."""

    feature: str
    note: str
    schema: Any
    says: str


def closed(required=(), **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


INTEGER = {"type": "integer"}
STRING = {"type": "string"}
NODE = {
    "$defs": {
        "node": closed(
            ["value", "next"], value=INTEGER, next={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
        )
    },
    "$ref": "#/$defs/node",
}
TAGGED = {
    "oneOf": [
        closed(["kind", "radius"], kind={"const": "circle"}, radius=INTEGER),
        closed(["kind", "side"], kind={"const": "square"}, side=INTEGER),
    ]
}

ENFORCED = [
    Enforced(
        "`type`",
        "one or a list; without it the other keywords imply it: `properties` an object, and so on",
        {"type": ["integer", "null", "boolean"]},
        [0, -7, None, True],
        [1.5, "1", [], {}],
    ),
    Enforced("`true`, `{}`", "any JSON", {}, [None, True, -0.5, "é", [1, {"a": []}], {"a": {"b": None}}]),
    Enforced(
        "`properties`, `required`",
        "in the order of `properties`; those that are not required may be left out",
        closed(["b"], a=INTEGER, b=STRING, c={"type": "boolean"}),
        [{"b": ""}, {"a": 1, "b": "x"}, {"b": "x", "c": True}, {"a": 1, "b": "x", "c": False}],
        [{}, {"a": 1}, {"b": 1}, {"b": "", "d": 1}],
    ),
    Enforced(
        "`additionalProperties`: false, or absent beside `properties`",
        "no others: where a schema is silent, a model is not invited to invent names",
        {"type": "object", "properties": {"a": INTEGER}},
        [{}, {"a": 1}],
        [{"b": 1}, {"a": 1, "b": 1}],
    ),
    Enforced(
        "`additionalProperties`: true or a schema",
        "after the named ones; their names have no escapes",
        {"type": "object", "properties": {"a": STRING, "ab": STRING}, "additionalProperties": INTEGER},
        [{}, {"a": "x"}, {"x": 1}, {"ab": "", "abc": 1, "b": 2}, {"": 0}, {"aa": 1}],
        [{"a": 1}, {"ab": 1}, {"x": "1"}],
    ),
    Enforced(
        "`patternProperties`",
        "one pattern, where no properties are named",
        {"type": "object", "patternProperties": {"^x-[a-z]+$": INTEGER}},
        [{}, {"x-a": 1, "x-bc": 2}],
        [{"x-": 1}, {"x-a": "1"}, {"y": 1}],
    ),
    Enforced(
        "`propertyNames`",
        "where no properties are named",
        {"type": "object", "propertyNames": {"enum": ["de", "fr"]}, "additionalProperties": STRING},
        [{}, {"de": "ja", "fr": "oui"}],
        [{"en": "yes"}, {"de": 1}],
    ),
    Enforced(
        "`minProperties`, `maxProperties`",
        "of named properties; of additional ones a minimum of 1",
        {
            "type": "object",
            "properties": {"a": INTEGER, "b": INTEGER, "c": INTEGER},
            "minProperties": 1,
            "maxProperties": 2,
        },
        [{"a": 1}, {"c": 1}, {"a": 1, "c": 2}, {"b": 1, "c": 2}],
        [{}, {"a": 1, "b": 2, "c": 3}],
    ),
    Enforced("`items`", "", {"type": "array", "items": INTEGER}, [[], [1], [1, -2, 3]], [["1"], [1, None]]),
    Enforced(
        "`minItems`, `maxItems`",
        "up to 1024",
        {"type": "array", "items": INTEGER, "minItems": 2, "maxItems": 3},
        [[1, 2], [1, 2, 3]],
        [[], [1], [1, 2, 3, 4]],
    ),
    Enforced(
        "`prefixItems`, or a list of `items`",
        "further items only if `items` (`additionalItems`) says which",
        {"type": "array", "prefixItems": [STRING, INTEGER], "items": {"type": "boolean"}, "minItems": 1},
        [["a"], ["a", 1], ["a", 1, True, False]],
        [[], [1], ["a", "b"], ["a", 1, 2]],
    ),
    Enforced(
        "`enum`, `const`",
        "any JSON values, with their `type`, bounds and lengths; up to 1000",
        {"enum": ["a", 'q"\n', 1, None, [1, {"x": 2.5}], "é"]},
        ["a", 'q"\n', 1, None, [1, {"x": 2.5}], "é"],
        ["b", 2, [], False],
    ),
    Enforced(
        "`anyOf`",
        "up to 256 alternatives together",
        {"anyOf": [INTEGER, closed(["a"], a=STRING)]},
        [1, {"a": "x"}],
        ["x", {}, {"a": 1}],
    ),
    Enforced(
        "`oneOf`",
        "if its members exclude one another by type, by listed values, or by a required property such as "
        "a discriminator",
        TAGGED,
        [{"kind": "circle", "radius": 1}, {"kind": "square", "side": 2}],
        [{"kind": "circle", "side": 1}, {"kind": "other", "radius": 1}, {}],
    ),
    Enforced(
        "`allOf`, keywords beside `$ref`, `anyOf`, `oneOf`",
        "all together",
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]},
                {"properties": {"a": {"maximum": 5}, "b": STRING}},
            ],
            "required": ["b"],
        },
        [{"a": 3, "b": ""}, {"a": 5, "b": "x"}],
        [{"a": 2, "b": ""}, {"a": 6, "b": ""}, {"a": 4}, {"b": ""}],
    ),
    Enforced(
        "`$ref`, `$defs`, `definitions`",
        "inside the schema, recursion included",
        NODE,
        [{"value": 1, "next": None}, {"value": 1, "next": {"value": 2, "next": None}}],
        [{"value": 1}, {"value": 1, "next": {}}],
    ),
    Enforced(
        "`minLength`, `maxLength`",
        "up to 4096; a schema that counts many characters takes a second or two to read the first time",
        {"type": "string", "minLength": 2, "maxLength": 3},
        ["ab", "abc", '"\n\\', "é😀"],
        ["", "a", "abcd"],
    ),
    Enforced(
        "`pattern`",
        "ECMA 262 without lookaround, backreferences, `\\b` and flags; `.` and negated classes stand for "
        "characters that JSON need not escape; shorthands such as `\\d` for ASCII",
        {"type": "string", "pattern": "^(?:[A-Z]{2,3}|x\\d+)-[^a]$"},
        ["AB-b", "ABC-é", "x12-0"],
        ["A-b", "ABCD-b", "x-b", "AB-a", "AB-bc"],
    ),
    Enforced(
        "several of `pattern`, `format`, `minLength`, `maxLength`",
        "all at once",
        {
            "allOf": [{"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$"}, {"pattern": "x"}],
            "minLength": 2,
            "maxLength": 5,
        },
        ["ax", "x-a", "abx-y"],
        ["x", "ab", "a-", "abcx-y", "AX"],
    ),
    Enforced(
        "`minimum`, `maximum` of integers",
        "up to 18 digits",
        {"type": "integer", "minimum": -12, "maximum": 120},
        [-12, -1, 0, 7, 99, 120],
        [-13, 121, 129, 1000, 1.5],
    ),
    Enforced(
        "`exclusiveMinimum`, `exclusiveMaximum`",
        "up to 15 decimals, written without an exponent",
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1.5},
        [0.001, 0.5, 1, 1.49],
        [0, -0.1, 1.5, 1.51, 2],
    ),
    Enforced("`multipleOf`: 1", "no other", {"type": "number", "multipleOf": 1}, [0, 5, -5], [0.5]),
    Enforced(
        "`format`: `date`",
        "from the year 1000 on",
        {"type": "string", "format": "date"},
        ["2024-02-29", "2025-12-31"],
        ["2023-02-29", "2024-13-01", "24-01-01", "2024-04-31"],
    ),
    Enforced(
        "`format`: `date-time`, `time`",
        "with an offset or `Z`",
        {"type": "string", "format": "date-time"},
        ["2024-02-29T23:59:59Z", "2024-01-01T00:00:00.5+02:00"],
        ["2024-01-01", "2024-01-01T24:00:00Z"],
    ),
    Enforced(
        "`format`: `duration`",
        "the common forms",
        {"type": "string", "format": "duration"},
        ["P3D", "PT5M", "P2W"],
        ["P", "3D", "PT"],
    ),
    Enforced(
        "`format`: `email`",
        "plain ASCII addresses",
        {"type": "string", "format": "email"},
        ["ann.lee@example.com"],
        ["ann", "ann@", "ann@example"],
    ),
    Enforced(
        "`format`: `hostname`",
        "in lower case, with a dot",
        {"type": "string", "format": "hostname"},
        ["www.example.com"],
        ["-a.com", "a..com", ""],
    ),
    Enforced(
        "`format`: `ipv4`, `ipv6`",
        "`ipv6` in full",
        {"type": "string", "format": "ipv4"},
        ["192.168.1.254", "0.0.0.0"],
        ["256.1.1.1", "1.2.3", "01.2.3.4"],
    ),
    Enforced(
        "`format`: `uri`",
        "`http` and `https`",
        {"type": "string", "format": "uri"},
        ["https://www.example.com/a/b?c=d", "http://example.com"],
        ["example.com", "https://"],
    ),
    Enforced(
        "`format`: `uuid`",
        "in lower case",
        {"type": "string", "format": "uuid"},
        ["123e4567-e89b-12d3-a456-426614174000"],
        ["123e4567", "123e4567-e89b-12d3-a456-42661417400g"],
    ),
]

REFUSED = [
    Refused("`not`", "say what is wanted", {"not": INTEGER}, "`not` cannot be enforced"),
    Refused(
        "`if`, `then`, `else`", "`anyOf` of both cases", {"if": {}, "then": {}}, "`if` cannot be enforced"
    ),
    Refused(
        "`dependentRequired`, `dependentSchemas`, `dependencies`",
        "`anyOf`",
        {"type": "object", "dependentRequired": {"a": ["b"]}},
        "`dependentRequired` cannot be enforced",
    ),
    Refused(
        "`uniqueItems`: true",
        "unless `maxItems` is 1",
        {"type": "array", "uniqueItems": True},
        "`uniqueItems` cannot be enforced",
    ),
    Refused(
        "`contains`, `minContains`, `maxContains`",
        "`prefixItems`",
        {"type": "array", "contains": {}},
        "`contains` cannot be enforced",
    ),
    Refused(
        "`multipleOf` other than 1",
        "`enum`",
        {"type": "integer", "multipleOf": 5},
        "`multipleOf` cannot be enforced",
    ),
    Refused(
        "`unevaluatedProperties`, `unevaluatedItems`",
        "`additionalProperties`",
        {"unevaluatedProperties": False},
        "`unevaluatedProperties` cannot be enforced",
    ),
    Refused(
        "`oneOf` of members that might overlap",
        "`anyOf`",
        {"oneOf": [INTEGER, {"type": "number"}]},
        "members 0 and 1 might both hold",
    ),
    Refused(
        "`$ref` to another document",
        "put it into `$defs`",
        {"$ref": "https://example.com/schema"},
        "`$ref` is not local",
    ),
    Refused(
        "`$dynamicRef`, `$recursiveRef`", "`$ref`", {"$dynamicRef": "#a"}, "`$dynamicRef` cannot be enforced"
    ),
    Refused(
        "a `pattern` that is too complex, alone or with others or a length",
        "fewer counted repetitions",
        {"type": "string", "pattern": "^(.x?){0,500}$"},
        "it is too complex",
    ),
    Refused(
        "`format`: `iri`, `regex`, `json-pointer` and others of the standard",
        "`pattern`",
        {"type": "string", "format": "iri"},
        "`format` 'iri' cannot be enforced",
    ),
    Refused(
        "`propertyNames` or `patternProperties` beside `properties`",
        "`additionalProperties`",
        {"properties": {"a": {}}, "patternProperties": {"b": {}}},
        "beside named properties",
    ),
    Refused("a `required` name that no property may have", "", closed(["b"], a=INTEGER), "'b' is `required`"),
    Refused(
        "what no finite value satisfies",
        "",
        {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        "no finite value can satisfy it",
    ),
    Refused("a schema that only refers to itself", "", {"anyOf": [{"$ref": "#"}]}, "refers to itself"),
    Refused(
        "more than 64 levels, 20,000 values, 512 properties of an object or 1000 listed values",
        "",
        {"enum": list(range(1001))},
        "more than 1000 values",
    ),
    Refused(
        "what is no JSON Schema", "", {"type": "object", "properties": None}, "None is not of type 'object'"
    ),
]
