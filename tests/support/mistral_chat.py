"""A server with a model that speaks Mistral, and how tests talk to it."""

import contextlib
import json
import shutil

from tests.support.mistral_model import write_mistral_model
from tests.support.server import running_server

MODEL = "mistral-small-latest"
USER = {"role": "user", "content": "What is 1 + 1?"}


@contextlib.contextmanager
def mistral_server(tmp_path_factory, builtin_cache_dir, tokenizer):
    """One whose chat and fill-in-the-middle model has the tokenizer of this name."""
    cache_dir = tmp_path_factory.mktemp("cache")
    shutil.copytree(builtin_cache_dir / "artifacts", cache_dir / "artifacts")
    (cache_dir / "models").symlink_to(builtin_cache_dir / "models")
    model = write_mistral_model(tmp_path_factory.mktemp(tokenizer) / "mistral", tokenizer)
    with running_server(tmp_path_factory.mktemp("data"), cache_dir, "--model", str(model)) as server:
        yield server


def chat(client, *messages, **fields):
    """The answer to a greedy request."""
    body = {"model": MODEL, "messages": [*messages], "temperature": 0} | fields
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def events_of(client, path="/v1/chat/completions", **body):
    """The chunks of a streamed answer."""
    with client.stream("POST", path, json=body | {"stream": True}) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def function(name, *, strict=False, **properties):
    """A tool all of whose parameters are required."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "function": {
            "name": name,
            "strict": strict,
            "parameters": parameters | {"additionalProperties": False},
        },
    }
