"""The keywords of JSON Schema: those that are enforced, those that are notes, and those that are refused."""

import json
from typing import Any, Final

from tramontane.prompts.grammar.expressions import LAST_CHARACTER

Schema = bool | dict[str, Any]

TYPES: Final = frozenset({"null", "boolean", "integer", "fraction", "string", "array", "object"})
"""Of values; a `number` is an `integer` or a `fraction`."""

KEYWORDS_OF: Final[dict[str, frozenset[str]]] = {
    "object": frozenset(
        {"properties", "required", "additionalProperties", "patternProperties", "propertyNames"}
        | {"minProperties", "maxProperties"}
    ),
    "array": frozenset({"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"}),
    "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
}
"""Keywords that speak of one type: without a `type` beside them they imply it."""

GENERAL: Final = frozenset(
    {"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$defs", "definitions"}
)

ANNOTATIONS: Final = frozenset(
    {"$anchor", "$comment", "$id", "$schema", "$vocabulary", "contentEncoding", "contentMediaType"}
    | {"contentSchema", "default", "deprecated", "description", "discriminator", "example", "examples"}
    | {"externalDocs", "id", "readOnly", "title", "writeOnly", "xml"}
)
"""They ask nothing of a value."""

REFUSED: Final = frozenset(
    {"not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies"}
    | {"contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties"}
    | {"$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"}
)
"""No grammar can enforce them."""

KNOWN: Final = GENERAL | ANNOTATIONS | frozenset().union(*KEYWORDS_OF.values())
"""All others that are not refused have no meaning in JSON Schema, which says to ignore them."""


def types_named(names: str | list[str]) -> frozenset[str]:
    """The types that `type` allows."""
    listed = [names] if isinstance(names, str) else names
    expanded = ({"integer", "fraction"} if name == "number" else {name} for name in listed)
    return frozenset().union(*expanded)


def type_of(value: object) -> str:
    """The type of a value; 1.0 is an integer, as JSON Schema has it."""
    if isinstance(value, float) and not value.is_integer():
        return "fraction"
    return _TYPE_NAMES[type(value)]


_TYPE_NAMES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "integer",
    str: "string",
    list: "array",
    dict: "object",
}


def written(value: object) -> str:
    """A value as `json.dumps` writes it, in UTF-8 but for characters that a grammar cannot spell."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isascii() else "".join(map(_spelled, text))


def key_of(value: object) -> object:
    """Equal for values that JSON Schema holds equal, and hashable: 1 and 1.0 are, 1 and true are not."""
    match value:
        case bool() | None:
            return str(value), None
        case list():
            return tuple(map(key_of, value))
        case dict():
            return frozenset((name, key_of(item)) for name, item in value.items())
    return value


def _spelled(character: str) -> str:
    """Escaped, if it is half a character or stands for a control token."""
    can_be = not "\ud800" <= character <= "\udfff" and ord(character) <= LAST_CHARACTER
    return character if can_be else json.dumps(character)[1:-1]
