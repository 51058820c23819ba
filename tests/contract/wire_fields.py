"""The fields of a JSON Schema object in one normal form, so that schemas of different origin can be compared.

A field is a type in a short notation (`null | number >= 0 <= 1.5`, `[TextChunk | ThinkChunk]`,
`"auto" | "none"`), whether it is required, and its default. References to objects stay names; all other
references are resolved.
"""

import json
from dataclasses import dataclass
from typing import Any

RANGES = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))

HOSTED_NAMES = {"CompletionMessage": "AssistantMessage", "EmbeddingUsageInfo": "UsageInfo"}
"""Our classes that have another name than the hosted schema that they are."""


@dataclass(frozen=True)
class Field:
    type: str
    required: bool = False
    default: Any = None

    def __str__(self) -> str:
        default = "" if self.default is None else f" = {json.dumps(self.default, sort_keys=True)}"
        return f"{self.type}{' (required)' if self.required else ''}{default}"


class Reader:
    """Reads the fields of objects in a document with definitions."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions

    def fields(self, schema: dict[str, Any]) -> dict[str, Field]:
        properties: dict[str, Any] = {}
        required: set[str] = set()
        for part in [schema, *map(self._resolved, schema.get("allOf", []))]:
            properties |= part.get("properties", {})
            required |= set(part.get("required", []))
            for inner in part.get("allOf", []):
                properties |= self._resolved(inner).get("properties", {})
        return {
            name: Field(self.type(node), name in required, self._default(node))
            for name, node in properties.items()
        }

    def type(self, node: dict[str, Any]) -> str:
        return " | ".join(sorted(set(self._alternatives(node))))

    def _alternatives(self, node: dict[str, Any]) -> list[str]:
        match node:
            case {"$ref": reference}:
                return self._reference(reference.rsplit("/", 1)[1])
            case {"anyOf": options} | {"oneOf": options}:
                return [name for option in options for name in self._alternatives(option)]
        return self._plain(node)

    def _plain(self, node: dict[str, Any]) -> list[str]:
        match node:
            case {"const": value}:
                return [json.dumps(value)]
            case {"enum": values}:
                return [json.dumps(value) for value in values]
            case {"type": "array"}:
                least = f" >= {node['minItems']} items" if "minItems" in node else ""
                return [f"[{self.type(node.get('items', {}))}]{least}"]
            case {"type": list(names)}:
                return names
            case {"type": name}:
                ranges = [f"{sign} {_number(node[bound])}" for bound, sign in RANGES if bound in node]
                return [" ".join([name, *ranges])]
        return ["any"]

    def _reference(self, name: str) -> list[str]:
        if "properties" in self._definitions[name]:
            return [HOSTED_NAMES.get(name, name)]
        return self._alternatives(self._definitions[name])

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        reference = node.get("$ref")
        return self._definitions[reference.rsplit("/", 1)[1]] if reference else node

    def _default(self, node: dict[str, Any]) -> Any:
        return node.get("default")


class SdkReader(Reader):
    """Reads the SDK's models, in its own conventions.

    A plain null is a field that is not sent; only its `Nullable` types are null on the wire. Enums are open.
    """

    def type(self, node: dict[str, Any]) -> str:
        if "anyOf" in node:
            node = {"anyOf": [option for option in node["anyOf"] if option != {"type": "null"}]}
        return super().type(node)

    def _alternatives(self, node: dict[str, Any]) -> list[str]:
        names = [name for name in super()._alternatives(node) if not name.startswith(("Unknown", "Unset"))]
        is_enum = any(name.startswith('"') for name in names)
        return [name for name in names if name != "string"] if is_enum else names

    def _reference(self, name: str) -> list[str]:
        names = super()._reference(name)
        return [name.replace("JSONSchema", "JsonSchema").replace("Llmv", "LLMV") for name in names]

    def _default(self, node: dict[str, Any]) -> Any:
        return None


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
