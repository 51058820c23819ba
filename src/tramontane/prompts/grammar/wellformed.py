"""Whether something is a JSON Schema at all, of a size that we take on, and made of keywords that we know."""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Final, TypeGuard

from tramontane.errors import SchemaError
from tramontane.prompts.grammar.keywords import REFUSED

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 20_000
"""Objects, lists and scalars in a schema, all together."""
MAX_PROPERTIES: Final = 512
"""Of one object."""
MAX_ENUM: Final = 1000
MAX_ITEMS: Final = 1024
"""The highest bound of items and properties that is counted."""

_TYPE_NAMES: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


class Checker:
    """Raises for what is wrong with a schema. `error` is what it raises."""

    def __init__(self, error: type[SchemaError]) -> None:
        self._error = error

    def check_size(self, schema: object) -> None:
        """Raise if it is too big or too deep: before anything else looks into it."""
        level: list[object] = [schema]
        values = 0
        for _ in range(MAX_DEPTH):
            values += len(level)
            if values > MAX_VALUES:
                raise self._error(f"it holds more than {MAX_VALUES} values")
            level = [item for value in level for item in _inside(value)]
            if not level:
                return
        raise self._error(f"it is nested deeper than {MAX_DEPTH} levels")

    def check(self, schema: object, path: str) -> None:
        """Raise if `schema` itself, without the schemas in it, is not valid or holds what is refused."""
        if isinstance(schema, bool):
            return
        if not isinstance(schema, dict):
            raise self._error(f"{schema!r:.40} is not of type 'object', 'boolean'", path)
        for keyword, value in schema.items():
            if keyword in REFUSED:
                raise self._error(f"`{keyword}` cannot be enforced", path)
            if problem := _problem(keyword, value):
                raise self._error(f"`{keyword}` {problem}", path)

    def fail(self, problem: str, path: str) -> SchemaError:
        """The error to raise."""
        return self._error(problem, path)


def _inside(value: object) -> Iterator[object]:
    match value:
        case dict():
            yield from value.values()
        case list():
            yield from value


def _problem(keyword: str, value: object) -> str | None:
    """What is wrong with the value of a keyword."""
    check = _CHECKS.get(keyword)
    return check(value) if check else None


def _list_problem(value: object) -> str | None:
    return None if isinstance(value, list) and value else "is not a list of schemas"


def _map_problem(value: object) -> str | None:
    if not isinstance(value, dict):
        return f"{value!r:.40} is not of type 'object'"
    return f"has more than {MAX_PROPERTIES} names" if len(value) > MAX_PROPERTIES else None


def _count_problem(value: object) -> str | None:
    return None if _is_number(value) and value >= 0 and value == int(value) else "is not a count"


def _number_problem(value: object) -> str | None:
    return None if _is_number(value) else "is not a number"


def _text_problem(value: object) -> str | None:
    return None if isinstance(value, str) else "is not a string"


def _boolean_problem(value: object) -> str | None:
    return None if isinstance(value, bool) else "is not a boolean"


def _type_problem(value: object) -> str | None:
    names = value if isinstance(value, list) else [value]
    known = bool(names) and all(isinstance(name, str) and name in _TYPE_NAMES for name in names)
    return None if known else f"names no type: {value!r:.40}"


def _required_problem(value: object) -> str | None:
    is_names = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return None if is_names else "is not a list of names"


def _enum_problem(value: object) -> str | None:
    if not isinstance(value, list) or not value:
        return "is not a list of values"
    return f"has more than {MAX_ENUM} values" if len(value) > MAX_ENUM else None


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


_CHECKS: Final[dict[str, Callable[[object], str | None]]] = {
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), _list_problem),
    **dict.fromkeys(("properties", "patternProperties"), _map_problem),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _count_problem),
    **dict.fromkeys(("minProperties", "maxProperties"), _count_problem),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _number_problem),
    "multipleOf": _number_problem,
    **dict.fromkeys(("$ref", "pattern", "format"), _text_problem),
    "uniqueItems": _boolean_problem,
    "type": _type_problem,
    "required": _required_problem,
    "enum": _enum_problem,
}
"""For each keyword: what is wrong with a value of it."""
