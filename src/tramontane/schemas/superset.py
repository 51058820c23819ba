"""What OpenAI's clients and editors say, in the words of the Mistral API.

Works on the parsed JSON, before validation. A field that would change the answer is translated or refused;
one that cannot is left out. What is not in these tables goes on as it is, and the closed schemas refuse it.
Nothing here runs in strict mode. `docs/compatibility.md` is made from these tables.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tramontane.errors import FeatureNotEnabledError
from tramontane.schemas.sampling import MAX_SEED, MAX_TEMPERATURE

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of a field: `apply` changes the object that holds it, `says` tells it to a reader."""

    says: str
    apply: Callable[[JsonObject, str], None]


def _is_null(value: object) -> bool:
    return value is None


def _is_empty(value: object) -> bool:
    return value is None or value in ({}, [])


def _is_neutral(value: object) -> bool:
    """Whether a number is one that changes nothing: a penalty of 0."""
    return value is None or (value == 0 and not isinstance(value, bool))


def _is_one(value: object) -> bool:
    return value is None or (value == 1 and not isinstance(value, bool))


def _is_usage_option(value: object) -> bool:
    return value is None or (
        isinstance(value, dict) and value.keys() <= {"include_usage", "include_obfuscation"}
    )


def _anything(_value: object) -> bool:
    return True


def _renamed(
    target: str, says: str | None = None, convert: Callable[[Any], Any] = lambda value: value
) -> Rule:
    """The same field under the hosted name. Two different values for one field are left to be refused."""

    def apply(body: JsonObject, field: str) -> None:
        value = convert(body[field])
        if value is not None:
            if body.get(target) not in (None, value):
                return
            body[target] = value
        del body[field]

    return Rule(says or f"is `{target}`", apply)


def _left_out(when: Callable[[object], bool], says: str) -> Rule:
    """A field without an effect on the answer; any other value goes on to be refused as unknown."""

    def apply(body: JsonObject, field: str) -> None:
        if when(body[field]):
            del body[field]

    return Rule(says, apply)


def _only(when: Callable[[object], bool], says: str) -> Rule:
    """A field of which only the value that asks for nothing is served."""

    def apply(body: JsonObject, field: str) -> None:
        if not when(body[field]):
            raise FeatureNotEnabledError(field)
        del body[field]

    return Rule(f"{says}; anything else: 400", apply)


def _unsigned(seed: object) -> object:
    """OpenAI's seeds are signed: the same 64 bits, read as the hosted API's unsigned ones."""
    if isinstance(seed, int) and -(2**63) <= seed < 0:
        return seed & MAX_SEED
    return seed


def _clamp_temperature(body: JsonObject, field: str) -> None:
    value = body[field]
    if isinstance(value, int | float) and MAX_TEMPERATURE < value <= 2:
        body[field] = MAX_TEMPERATURE


def _refusal_is_content(message: JsonObject, field: str) -> None:
    refusal = message.pop(field)
    if refusal is not None and message.get("content") is None:
        message["content"] = refusal


def _refusal_chunk_is_text(chunk: JsonObject, field: str) -> None:
    if chunk.get("type") == "refusal":
        chunk |= {"type": "text", "text": chunk.pop(field)}


def _audio_data(chunk: JsonObject, field: str) -> None:
    match chunk[field]:
        case {"data": str(data), "format": str()}:
            chunk[field] = data


def _developer_is_system(message: JsonObject, field: str) -> None:
    if message[field] == "developer":
        message[field] = "system"


def _name_is_left_out(message: JsonObject, field: str) -> None:
    if message.get("role") != "tool":
        del message[field]


def _null_is_no_parameters(function: JsonObject, field: str) -> None:
    if function[field] is None:
        function[field] = {}


_NULL_IS_ABSENT: Final = _left_out(_is_null, "null is the default")
_NO_TRACE: Final = "accepted, has no effect on the answer"

COMPLETION_RULES: Final[dict[str, Rule]] = {
    "max_completion_tokens": _renamed("max_tokens"),
    "seed": _renamed("random_seed", "is `random_seed`; a negative one is taken as its 64 bits", _unsigned),
    "temperature": Rule("above 1.5, up to 2, is 1.5", _clamp_temperature),
    "stream": _NULL_IS_ABSENT,
    "stream_options": _left_out(_is_usage_option, "accepted; the usage always comes, with the last chunk"),
    "user": _left_out(_anything, _NO_TRACE),
    "safety_identifier": _left_out(_anything, _NO_TRACE),
    "store": _left_out(_anything, "accepted; nothing is stored"),
    "logit_bias": _only(_is_empty, "empty or null"),
}
"""Of chat and fill-in-the-middle alike."""

CHAT_RULES: Final[dict[str, Rule]] = COMPLETION_RULES | {
    "service_tier": _left_out(lambda value: value == "default", '"default" is `standard_only`'),
    "functions": _only(_is_empty, "empty or null"),
    "function_call": _only(_is_null, "null"),
    "modalities": _only(lambda value: value in (None, ["text"]), '`["text"]` or null'),
    "audio": _only(_is_null, "null"),
    "verbosity": _only(lambda value: value in (None, "medium"), '"medium" or null'),
    "web_search_options": _only(_is_null, "null"),
    "response_format": _NULL_IS_ABSENT,
    "tool_choice": _NULL_IS_ABSENT,
    "parallel_tool_calls": _NULL_IS_ABSENT,
    "prediction": _NULL_IS_ABSENT,
    "safe_prompt": _NULL_IS_ABSENT,
}

FIM_RULES: Final[dict[str, Rule]] = COMPLETION_RULES | {
    "presence_penalty": _only(_is_neutral, "0 or null"),
    "frequency_penalty": _only(_is_neutral, "0 or null"),
    "n": _only(_is_one, "1 or null"),
}

EMBEDDING_RULES: Final[dict[str, Rule]] = {
    "dimensions": _renamed("output_dimension"),
    "user": _left_out(_anything, _NO_TRACE),
    "output_dtype": _NULL_IS_ABSENT,
    "encoding_format": _NULL_IS_ABSENT,
}

MESSAGE_RULES: Final[dict[str, Rule]] = {
    "role": Rule('"developer" is "system"', _developer_is_system),
    "name": Rule("accepted; prompts of the served models name no speakers", _name_is_left_out),
    "refusal": Rule("is the `content` where there is none", _refusal_is_content),
    "reasoning_content": _left_out(
        _anything, "accepted; what was thought in earlier turns is not shown to the model"
    ),
    "cache_control": _left_out(_anything, "accepted; prefixes are cached without being asked"),
    "annotations": _left_out(_anything, _NO_TRACE),
    "parsed": _left_out(_anything, _NO_TRACE),
    "audio": _left_out(_is_null, "null"),
    "function_call": _left_out(_is_null, "null"),
}

CHUNK_RULES: Final[dict[str, Rule]] = {
    "cache_control": MESSAGE_RULES["cache_control"],
    "refusal": Rule('a chunk of type "refusal" is text', _refusal_chunk_is_text),
    "input_audio": Rule("`{data, format}` is `data`", _audio_data),
}

TOOL_CALL_RULES: Final[dict[str, Rule]] = {
    "name": _left_out(_anything, "accepted; the name is in `function`"),
    "index": _NULL_IS_ABSENT,
}

FUNCTION_RULES: Final[dict[str, Rule]] = {
    "description": _NULL_IS_ABSENT,
    "strict": _NULL_IS_ABSENT,
    "parameters": Rule("null is none; so is their absence", _null_is_no_parameters),
}

FUNCTION_CALL_RULES: Final[dict[str, Rule]] = {
    "parsed_arguments": _left_out(_anything, "accepted; `arguments` counts"),
}


def translate_chat(body: JsonObject) -> JsonObject:
    """A chat request in Mistral's words; `body` itself is left as it was.

    Raises:
        FeatureNotEnabledError: a field of OpenAI's that would change the answer, and is not served.
    """
    body = _translate(body, CHAT_RULES)
    body = _each(body, "messages", _translate_message)
    return _each(body, "tools", _translate_tool)


def translate_fim(body: JsonObject) -> JsonObject:
    """A fill-in-the-middle request in Mistral's words, as `translate_chat`."""
    return _translate(body, FIM_RULES)


def translate_embedding(body: JsonObject) -> JsonObject:
    """An embedding request in Mistral's words, as `translate_chat`."""
    return _translate(body, EMBEDDING_RULES)


def _translate_message(message: JsonObject) -> JsonObject:
    message = _translate(message, MESSAGE_RULES)
    message = _each(message, "content", lambda chunk: _translate(chunk, CHUNK_RULES))
    return _each(message, "tool_calls", _translate_tool_call)


def _translate_tool(tool: JsonObject) -> JsonObject:
    match tool.get("function"):
        case dict(function):
            return tool | {"function": _translate({"parameters": None} | function, FUNCTION_RULES)}
    return tool


def _translate_tool_call(tool_call: JsonObject) -> JsonObject:
    tool_call = _translate(tool_call, TOOL_CALL_RULES)
    match tool_call.get("function"):
        case dict(function):
            return tool_call | {"function": _translate(function, FUNCTION_CALL_RULES)}
    return tool_call


def _translate(body: JsonObject, rules: Mapping[str, Rule]) -> JsonObject:
    fields = [field for field in body if field in rules]
    if not fields:
        return body
    body = dict(body)
    for field in fields:
        rules[field].apply(body, field)
    return body


def _each(body: JsonObject, field: str, translate: Callable[[JsonObject], JsonObject]) -> JsonObject:
    """`body` with the objects of its list `field` translated; any other shape is for validation to refuse."""
    match body.get(field):
        case [*items]:
            return body | {field: [translate(item) if isinstance(item, dict) else item for item in items]}
    return body
