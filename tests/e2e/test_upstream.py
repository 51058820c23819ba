"""A server whose models are those of other servers: real processes, real clients, and a replica that dies."""

import contextlib
import json
import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from mistralai.client import Mistral
from openai import OpenAI
from pydantic import BaseModel

from tests.support.server import KEY, running_server
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.e2e

QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one short sentence."}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CONFIG = """
[[models]]
id = "small"
aliases = ["mistral-small-latest"]
[models.upstream]
urls = ["{real}/v1"]
model = "mistral-large-latest"
api_key_env = "KEY_OF_THE_UPSTREAM"

[[models]]
id = "embedder"
task = "embed"
aliases = ["mistral-embed"]
[models.upstream]
urls = ["{real}/v1"]
model = "mistral-embed"
api_key_env = "KEY_OF_THE_UPSTREAM"

[[models]]
id = "pool"
aliases = []
[models.upstream]
urls = ["{first}/v1", "{second}/v1"]
model = "mistral-large-latest"
api_key_env = "KEY_OF_THE_UPSTREAM"
health_interval = 0.5

[[models]]
id = "narrow"
aliases = []
slots = 1
max_queue = 0
spill = ["pool"]
[models.upstream]
urls = ["{first}/v1"]
model = "mistral-medium-latest"
api_key_env = "KEY_OF_THE_UPSTREAM"

[[models]]
id = "dead"
aliases = []
spill = ["pool"]
[models.upstream]
urls = ["http://127.0.0.1:9/v1"]

[[models]]
id = "locked"
aliases = []
[models.upstream]
urls = ["{second}/v1"]
api_key = "a-key-that-nobody-knows"
"""


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    """Two servers with the fake engine; the first one will be killed."""
    pace = ("--engine", "fake", "--fake-tokens-per-second", "400")
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                running_server(tmp_path_factory.mktemp("replica"), tmp_path_factory.mktemp("none"), *pace)
            )
            for _ in range(2)
        ]


@pytest.fixture(scope="module")
def gateway(server, replicas, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    first, second = replicas
    config = folder / "tramontane.toml"
    config.write_text(CONFIG.format(real=server.base_url, first=first.base_url, second=second.base_url))
    options = ("--config", str(config))
    environment = {"KEY_OF_THE_UPSTREAM": KEY}
    # Ready, although one of its models is dead: that is not its fault, and others are well.
    with running_server(folder, tmp_path_factory.mktemp("none"), *options, env=environment) as gateway:
        gateway.data_dir = folder
        yield gateway


@pytest.fixture
def mistral(gateway):
    with Mistral(api_key=gateway.key, server_url=gateway.base_url) as client:
        yield client


@pytest.fixture
def direct(server):
    with Mistral(api_key=server.key, server_url=server.base_url) as client:
        yield client


def ask(gateway, model, text="Hi", **fields):
    body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    with gateway.client() as client:
        return client.post("/v1/chat/completions", json=body)


def ledger(gateway, asked):
    """The rows of requests for a model. Those of errors may come a little later than the error."""
    with contextlib.closing(
        sqlite3.connect(f"file:{gateway.data_dir / 'tramontane.db'}?mode=ro", uri=True)
    ) as database:
        return database.execute(
            "SELECT model_served, status, completion_tokens FROM ledger WHERE model_asked = ? ORDER BY rowid",
            [asked],
        ).fetchall()


class TestAnotherTramontane:
    def test_an_answer_is_the_one_that_the_other_server_gives(self, mistral, direct):
        fields = {"messages": QUESTION, "temperature": 0, "max_tokens": 30}

        here = mistral.chat.complete(model="mistral-small-latest", **fields)
        there = direct.chat.complete(model="mistral-large-latest", **fields)

        assert here.choices[0].message.content == there.choices[0].message.content
        assert here.model == "mistral-small-latest"
        assert (here.usage.prompt_tokens, here.usage.completion_tokens) == (
            there.usage.prompt_tokens,
            there.usage.completion_tokens,
        )

    def test_a_stream_says_the_same(self, mistral):
        fields = {"model": "mistral-small-latest", "messages": QUESTION, "temperature": 0, "max_tokens": 30}
        whole = mistral.chat.complete(**fields)

        chunks = [event.data for event in mistral.chat.stream(**fields)]

        text = "".join(chunk.choices[0].delta.content for chunk in chunks)
        assert text == whole.choices[0].message.content
        assert len(chunks) > 3
        assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens

    def test_several_answers_and_a_stop_string(self, mistral):
        answer = mistral.chat.complete(
            model="small", messages=QUESTION, n=3, stop=["."], random_seed=3, max_tokens=20
        )

        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        assert all("." not in choice.message.content for choice in answer.choices)

    def test_a_prefix_is_part_of_the_answer_once(self, mistral):
        messages = [*QUESTION, {"role": "assistant", "content": "The capital", "prefix": True}]

        answer = mistral.chat.complete(model="small", messages=messages, temperature=0, max_tokens=8)

        assert answer.choices[0].message.content.count("The capital") == 1

    def test_a_forced_call_streams_whole_and_is_valid(self, mistral):
        chunks = [
            event.data
            for event in mistral.chat.stream(
                model="small", messages=QUESTION, tools=[TOOL], tool_choice="any", max_tokens=60
            )
        ]

        [call] = chunks[-1].choices[0].delta.tool_calls
        assert call.function.name == "get_weather"
        assert len(call.id) == 9

    def test_a_schema_is_obeyed(self, mistral):
        class Person(BaseModel):
            name: str
            age: int

        answer = mistral.chat.parse(
            Person,
            model="small",
            messages=[{"role": "user", "content": "Invent a person."}],
            max_tokens=200,
            temperature=0,
        )

        assert isinstance(answer.choices[0].message.parsed, Person)

    def test_gaps_are_filled(self, mistral, direct):
        fields = {"prompt": "def add(a, b):\n    return", "suffix": "\n", "temperature": 0, "max_tokens": 8}

        here = mistral.fim.complete(model="small", **fields)
        there = direct.fim.complete(model="codestral-latest", **fields)

        assert here.choices[0].message.content == there.choices[0].message.content

    def test_vectors_are_the_same(self, mistral, direct):
        texts = ["The wind beside the Mistral", "", "blows from the north"]

        here = mistral.embeddings.create(model="mistral-embed", inputs=texts)
        there = direct.embeddings.create(model="mistral-embed", inputs=texts)

        for ours, theirs in zip(here.data, there.data, strict=True):
            assert ours.embedding == pytest.approx(theirs.embedding, abs=1e-6)
        assert here.usage.prompt_tokens == there.usage.prompt_tokens

    def test_openais_client_is_served_too(self, gateway):
        client = OpenAI(api_key=gateway.key, base_url=f"{gateway.base_url}/v1")

        chunks = list(
            client.chat.completions.create(
                model="small", messages=QUESTION, stream=True, temperature=0, max_completion_tokens=10
            )
        )

        assert "".join(chunk.choices[0].delta.content for chunk in chunks)
        vectors = client.embeddings.create(model="embedder", input="a", dimensions=8)
        assert len(vectors.data[0].embedding) == 8

    def test_what_the_other_server_refuses_is_refused_in_its_words(self, gateway):
        response = ask(gateway, "small", temperature=0, top_p=0.5)

        assert response.status_code == 400
        assert response.json()["code"] == "3054"

    def test_a_prompt_that_is_too_long_is_told_as_hosted(self, gateway):
        response = ask(gateway, "small", text="word " * 20_000)

        assert response.status_code == 400
        assert "too large for model with" in response.json()["message"]

    def test_the_card_says_what_the_other_servers_model_can_do(self, gateway, server):
        with gateway.client() as here, server.client() as there:
            ours = here.get("/v1/models/small").json()
            theirs = there.get("/v1/models/mistral-large-latest").json()

        assert ours["capabilities"] == theirs["capabilities"]
        assert ours["max_context_length"] == theirs["max_context_length"]


class TestSpilling:
    def test_a_full_model_hands_over_to_the_next(self, gateway):
        with ThreadPoolExecutor(6) as threads:
            answers = list(threads.map(lambda number: ask(gateway, "narrow", f"Hi {number}"), range(6)))

        assert {answer.status_code for answer in answers} == {200}
        served = [answer.headers["x-tramontane-model"] for answer in answers]
        assert set(served) == {"narrow", "pool"}
        assert {answer.json()["model"] for answer in answers} == {"narrow"}
        rows = ledger(gateway, "narrow")
        assert sorted(row[0] for row in rows) == sorted(served)
        assert {row[1] for row in rows} == {"ok"}

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_dead_model_hands_over_to_the_next(self, gateway, stream):
        answer = ask(gateway, "dead", stream=stream)

        assert answer.status_code == 200
        assert answer.headers["x-tramontane-model"] == "pool"
        assert ledger(gateway, "dead")[-1][:2] == ("pool", "ok")

    def test_a_key_that_is_not_known_there_is_our_fault_and_in_our_log(self, gateway):
        answer = ask(gateway, "locked")

        assert answer.status_code == 503
        assert "Invalid API Key" not in answer.text
        assert "Invalid API Key" in gateway.said()


class TestLeaving:
    def test_a_client_that_leaves_ends_the_work_there_and_is_billed_for_what_it_got(self, gateway, replicas):
        before = len(ledger(gateway, "pool"))
        with (
            gateway.client() as client,
            client.stream(
                "POST",
                "/v1/chat/completions",
                json={
                    "model": "pool",
                    "stream": True,
                    "messages": [{"role": "user", "content": "word " * 1000}],
                },
            ) as response,
        ):
            next(response.iter_lines())

        for _ in range(PATIENCE * 10):
            rows = ledger(gateway, "pool")[before:]
            if rows:
                break
            threading.Event().wait(0.1)
        [row] = rows
        assert row[:2] == ("pool", "cancelled")
        assert 0 < row[2] < 4000


class TestAReplicaThatDies:
    """The last class: after it there is but one."""

    def test_no_answer_that_nobody_reads_along_is_lost(self, gateway, replicas):
        killed = threading.Event()

        def work(number):
            statuses = []
            for turn in range(12):
                if number == 0 and turn == 3:
                    replicas[0].process.send_signal(signal.SIGKILL)
                    killed.set()
                answer = ask(gateway, "pool", f"conversation {number}, turn {turn}")
                statuses.append((answer.status_code, answer.text.count(f"turn {turn}")))
            return statuses

        with ThreadPoolExecutor(8) as threads:
            statuses = [status for one in threads.map(work, range(8)) for status in one]

        assert killed.is_set()
        assert set(statuses) == {(200, 1)}

    def test_streams_go_on_at_the_other_one(self, gateway):
        response = ask(gateway, "pool", "Hello", stream=True)

        frames = [line for line in response.text.split("\n\n") if line]
        assert frames[-1] == "data: [DONE]"
        assert json.loads(frames[-2][6:])["usage"]["completion_tokens"] > 0
