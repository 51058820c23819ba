"""Blocks of `docs/compatibility.md`: of the schemas, the tables of features and those of the superset."""

from collections.abc import Mapping, Sequence
from functools import partial

from pydantic import BaseModel
from scripts.pages import shown_by
from scripts.pages.markdown import table
from scripts.pages.shown_by import Tests

from tests.contract.wire_fields import Field, Reader
from tramontane.schemas import superset
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.embeddings import EmbeddingRequest
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.serving.features import CHAT_FIELDS, EMBEDDING_FIELDS, FIM_FIELDS, FieldSupport, Status


def fields_table(model: type[BaseModel], support: Mapping[str, FieldSupport], tests: Tests) -> str:
    """Every field of a request; KeyError if what becomes of one is not said, or shown by no test."""
    schema = model.model_json_schema()
    fields = Reader(schema.get("$defs", {})).fields(schema)
    rows = [[*_row(name, field, support[name]), _links(tests[name])] for name, field in fields.items()]
    return table(["field", "type", "status", "note", "shown by"], rows)


def rules_table(rules: Mapping[str, superset.Rule]) -> str:
    """Every field that the superset understands."""
    return table(["field", "meaning"], [(f"`{name}`", rule.says) for name, rule in rules.items()])


BLOCKS = {
    "chat fields": partial(fields_table, ChatCompletionRequest, CHAT_FIELDS, shown_by.CHAT),
    "chat superset": partial(rules_table, superset.CHAT_RULES),
    "message superset": partial(rules_table, superset.MESSAGE_RULES),
    "chunk superset": partial(rules_table, superset.CHUNK_RULES),
    "tool superset": partial(rules_table, superset.FUNCTION_RULES),
    "tool call superset": partial(rules_table, superset.TOOL_CALL_RULES | superset.FUNCTION_CALL_RULES),
    "fim fields": partial(fields_table, FIMCompletionRequest, FIM_FIELDS, shown_by.FIM),
    "fim superset": partial(rules_table, superset.FIM_RULES),
    "embedding fields": partial(fields_table, EmbeddingRequest, EMBEDDING_FIELDS, shown_by.EMBEDDINGS),
    "embedding superset": partial(rules_table, superset.EMBEDDING_RULES),
}


def _row(name: str, field: Field, support: FieldSupport) -> list[str]:
    note = support.note
    if support.status is Status.REFUSED:
        note = f"400 `{support.feature} {support.verb} not enabled for this model`, unless {note}"
    return [f"`{name}`" + (", required" if field.required else ""), _kind(field.type), support.status, note]


def _links(tests: Sequence[str]) -> str:
    """A link to the file of each test, which is named by its function."""
    links = []
    for test in tests:
        path, *_, name = test.split("::")
        links.append(f"[`{name}`](../{path})")
    return "<br>".join(links)


def _kind(kind: str) -> str:
    """The notation of the comparison, in words."""
    parts = [kind] if kind.startswith("[") and kind.endswith("]") else kind.split(" | ")
    last = ["null"] if "null" in parts else []
    words = " or ".join([part for part in parts if part != "null"] + last)
    for sign, word in ((" | ", " or "), (">=", "≥"), ("<=", "≤"), ("[", "list of "), ("]", "")):
        words = words.replace(sign, word)
    return words
