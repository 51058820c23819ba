"""The body of a request: bytes → JSON → the superset → the schema; a hosted 422 for each way to fail.

FastAPI would do the like, but before the key is checked, and without a bound on what an error repeats.
"""

from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

import orjson
from fastapi import Request
from pydantic import ValidationError

from tramontane.api.deps import AdminDep, ContextDep
from tramontane.errors import RequestValidationError
from tramontane.schemas.base import WireModel
from tramontane.schemas.superset import JsonObject

RequestModel = TypeVar("RequestModel", bound=WireModel)

MAX_INPUT_BYTES: Final = 16 * 1024
"""An offending value larger than this, as JSON, is not repeated in the error."""
MAX_OBJECTS: Final = 16_384
"""In one list of a request: more than a context has use for, and validated in a blink of the event loop."""
TOO_MANY_OBJECTS: Final = f"List should have at most {MAX_OBJECTS} items, those inside of its items included"


def body_of(
    schema: type[RequestModel], translate: Callable[[JsonObject], JsonObject]
) -> Callable[[Request, ContextDep], Awaitable[RequestModel]]:
    """A dependency that reads the body as `schema`; `translate` is left out in strict mode.

    Raises:
        RequestValidationError: what is wrong, and where.
        RequestTooLargeError: there is more of it than the server reads.
    """

    async def read(request: Request, _authenticated: ContextDep) -> RequestModel:
        document = parse_object(request.headers.get("content-type"), await request.body())
        check_lists(document)
        if not request.app.state.settings.strict:
            document = translate(document)
        return validate(schema, document)

    return read


def admin_body_of(
    schema: type[RequestModel], *, may_be_empty: bool = False
) -> Callable[[Request, AdminDep], Awaitable[RequestModel]]:
    """The same for the admin API, which has no superset; a body that may be empty stands for `{}`.

    Raises:
        RequestValidationError: what is wrong, and where.
        RequestTooLargeError: there is more of it than the server reads.
    """

    async def read(request: Request, _authenticated: AdminDep) -> RequestModel:
        body = await request.body()
        if may_be_empty and not body:
            return schema()
        document = parse_object(request.headers.get("content-type"), body)
        check_lists(document)
        return validate(schema, document)

    return read


def parse_object(content_type: str | None, body: bytes) -> JsonObject:
    """The JSON object of a body. A body without a content type is taken for JSON."""
    if not body:
        raise RequestValidationError(
            [{"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}]
        )
    if not _is_json(content_type):
        raise _not_an_object(body.decode(errors="replace"))
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestValidationError(
            [
                {
                    "type": "json_invalid",
                    "loc": ["body", error.pos],
                    "msg": "JSON decode error",
                    "input": {},
                    "ctx": {"error": error.msg},
                }
            ]
        ) from error
    if not isinstance(document, dict):
        raise _not_an_object(document)
    return document


def check_lists(document: JsonObject) -> None:
    """Refuse a list of absurdly many objects before time is spent on each of them.

    The objects in lists inside of these count with them: the chunks and calls of messages. Those of schemas
    and arguments do not, of which nothing is made here.
    """
    for field, value in document.items():
        if isinstance(value, list) and sum(1 for _ in islice(_objects(value), MAX_OBJECTS + 1)) > MAX_OBJECTS:
            raise RequestValidationError(
                [
                    {
                        "type": "too_long",
                        "loc": ["body", field],
                        "msg": TOO_MANY_OBJECTS,
                        "ctx": {"field_type": "List", "max_length": MAX_OBJECTS},
                    }
                ]
            )


def _objects(items: list[Any]) -> Iterator[JsonObject]:
    lists = [items]
    while lists:
        for item in lists.pop():
            if isinstance(item, dict):
                yield item
                lists.extend(inner for inner in item.values() if isinstance(inner, list))


def validate(schema: type[RequestModel], document: JsonObject) -> RequestModel:
    """`document` as `schema`."""
    try:
        return schema.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise RequestValidationError([_detail(dict(detail)) for detail in details]) from error


def _is_json(content_type: str | None) -> bool:
    if content_type is None:
        return True
    main, _, sub = content_type.partition(";")[0].strip().lower().partition("/")
    return main == "application" and (sub == "json" or sub.endswith("+json"))


def _not_an_object(value: object) -> RequestValidationError:
    detail = {
        "type": "model_attributes_type",
        "loc": [],
        "msg": "Input should be a valid dictionary or object to extract fields from",
        "input": value,
    }
    return RequestValidationError([_detail(detail)])


def _detail(detail: dict[str, Any]) -> dict[str, Any]:
    detail["loc"] = ["body", *detail["loc"]]
    if isinstance(raised := detail.get("ctx", {}).get("error"), Exception):  # by a validator of ours
        detail["ctx"] = {"error": str(raised)}
    if not _is_small(detail["input"]):
        del detail["input"]
    return detail


def _is_small(value: object) -> bool:
    try:
        return len(orjson.dumps(value)) <= MAX_INPUT_BYTES
    except orjson.JSONEncodeError:
        return False  # nested deeper than can be written
