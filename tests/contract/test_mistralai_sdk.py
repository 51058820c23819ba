"""The official `mistralai` client, unmodified but for its server URL and key, against a real server."""

import math

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError

pytestmark = pytest.mark.e2e

QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one short sentence."}]


@pytest.fixture
def client(server):
    with Mistral(api_key=server.key, server_url=server.base_url) as client:
        yield client


class TestChat:
    def test_complete_answers_in_the_hosted_shape(self, client):
        answer = client.chat.complete(model="mistral-large-latest", messages=QUESTION, temperature=0)

        assert len(answer.id) == 32
        assert answer.object == "chat.completion"
        assert answer.model == "mistral-large-latest"
        choice = answer.choices[0]
        assert choice.finish_reason == "stop"
        assert choice.message.role == "assistant"
        assert choice.message.tool_calls is None
        assert "Paris" in choice.message.content
        assert answer.usage.prompt_tokens > 10
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens

    def test_stream_says_the_same_as_complete(self, client):
        complete = client.chat.complete(model="mistral-small-latest", messages=QUESTION, temperature=0)
        chunks = [
            event.data
            for event in client.chat.stream(model="mistral-small-latest", messages=QUESTION, temperature=0)
        ]

        assert chunks[0].choices[0].delta.role == "assistant"
        text = "".join(chunk.choices[0].delta.content for chunk in chunks)
        assert text == complete.choices[0].message.content
        assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert chunks[-1].usage.completion_tokens == complete.usage.completion_tokens
        assert len(chunks) > 3

    def test_the_same_seed_gives_the_same_answer(self, client):
        def ask(seed):
            return (
                client.chat.complete(
                    model="ministral-3b-latest",
                    messages=[{"role": "user", "content": "Invent a name for a sailing boat."}],
                    temperature=1.0,
                    random_seed=seed,
                    max_tokens=40,
                )
                .choices[0]
                .message.content
            )

        assert ask(7) == ask(7)
        assert len({ask(seed) for seed in (1, 2, 3)}) > 1

    def test_n_answers_count_their_prompt_once(self, client):
        one = client.chat.complete(model="open-mistral-nemo", messages=QUESTION, max_tokens=8)
        three = client.chat.complete(
            model="open-mistral-nemo", messages=QUESTION, max_tokens=8, n=3, temperature=1.2, random_seed=1
        )

        assert [choice.index for choice in three.choices] == [0, 1, 2]
        assert three.usage.prompt_tokens == one.usage.prompt_tokens
        assert 3 <= three.usage.completion_tokens <= 24
        assert len({choice.message.content for choice in three.choices}) > 1

    def test_prefix_is_continued_and_part_of_the_answer(self, client):
        answer = client.chat.complete(
            model="mistral-large-latest",
            messages=[
                *QUESTION,
                {"role": "assistant", "content": "The capital of France is", "prefix": True},
            ],
            temperature=0,
        )

        assert answer.choices[0].message.content.startswith("The capital of France is Paris")

    def test_max_tokens_and_stop_cut_the_answer(self, client):
        def tell(**fields):
            question = "Tell me about the sea in a few sentences."
            return client.chat.complete(
                model="mistral-medium-latest",
                messages=[{"role": "user", "content": question}],
                temperature=0,
                **fields,
            )

        cut = tell(max_tokens=3)
        assert cut.choices[0].finish_reason == "length"
        assert cut.usage.completion_tokens == 3

        whole = tell(max_tokens=40).choices[0].message.content
        word = whole.split()[2]
        stopped = tell(max_tokens=40, stop=[word]).choices[0]
        assert stopped.finish_reason == "stop"
        assert stopped.message.content == whole.split(word)[0]

    @pytest.mark.anyio
    async def test_async_complete_and_stream(self, server):
        async with Mistral(api_key=server.key, server_url=server.base_url) as client:
            complete = await client.chat.complete_async(
                model="mistral-large-latest", messages=QUESTION, temperature=0
            )
            stream = await client.chat.stream_async(
                model="mistral-large-latest", messages=QUESTION, temperature=0
            )
            text = "".join([event.data.choices[0].delta.content async for event in stream])

        assert text == complete.choices[0].message.content


class TestFim:
    def test_complete_continues_the_prompt(self, client):
        answer = client.fim.complete(
            model="codestral-latest",
            prompt="def fibonacci(n):\n    if n < 2:\n        return n\n    return ",
            suffix="\n\nprint(fibonacci(10))\n",
            max_tokens=48,
            temperature=0,
        )

        assert answer.object == "chat.completion"
        assert "fibonacci(" in answer.choices[0].message.content
        assert "print(fibonacci(10))" not in answer.choices[0].message.content

    @pytest.mark.parametrize(
        "prompt",
        [
            "def add(a, b):\n    ",
            "def add(a, b):\n    return ",
            "if True:\n        ",
            "x = ",
            "numbers = [1, ",
        ],
    )
    def test_an_answer_fits_the_blank_before_it(self, client, prompt):
        answer = client.fim.complete(model="codestral-latest", prompt=prompt, max_tokens=12, temperature=0)

        assert not answer.choices[0].message.content.startswith(" ")

    def test_stream(self, client):
        events = list(
            client.fim.stream(
                model="codestral-2508", prompt="import os\nimport ", max_tokens=8, temperature=0
            )
        )

        assert events[-1].data.usage.completion_tokens <= 8
        assert "".join(event.data.choices[0].delta.content for event in events)


class TestEmbeddings:
    def test_vectors_are_normalised_and_tell_meanings_apart(self, client):
        texts = ["A cat sits on the mat.", "A kitten rests on a rug.", "Interest rates rose in March."]
        answer = client.embeddings.create(model="mistral-embed", inputs=texts)

        cat, kitten, rates = (entry.embedding for entry in answer.data)
        assert [entry.index for entry in answer.data] == [0, 1, 2]
        assert math.isclose(sum(x * x for x in cat), 1, abs_tol=1e-4)
        assert dot(cat, kitten) > dot(cat, rates) + 0.2
        assert answer.usage.prompt_tokens == answer.usage.total_tokens > 15

    def test_output_dimension_and_dtype(self, client):
        answer = client.embeddings.create(
            model="codestral-embed", inputs=["x"], output_dimension=64, output_dtype="binary"
        )

        assert len(answer.data[0].embedding) == 8
        assert all(-128 <= value <= 127 and value == int(value) for value in answer.data[0].embedding)

    @pytest.mark.anyio
    async def test_async(self, server):
        async with Mistral(api_key=server.key, server_url=server.base_url) as client:
            answer = await client.embeddings.create_async(model="mistral-embed", inputs=["one", "two"])

        assert len(answer.data) == 2


class TestModels:
    def test_list_and_retrieve(self, client):
        listed = {card.id: card for card in client.models.list().data}
        assert {
            "mistral-large-latest",
            "codestral-latest",
            "mistral-embed",
            "smollm2-135m-instruct",
        } <= listed.keys()
        assert listed["codestral-latest"].capabilities.completion_fim
        assert "SmolLM2" in listed["mistral-large-latest"].description

        card = client.models.retrieve(model_id="mistral-large-latest")
        assert card.id == "mistral-large-latest"
        assert card.type == "base"


class TestErrors:
    def test_a_wrong_key_is_the_hosted_401(self, server):
        with (
            Mistral(api_key="wrong", server_url=server.base_url) as client,
            pytest.raises(SDKError, match="Invalid API Key") as caught,
        ):
            client.chat.complete(model="mistral-large-latest", messages=QUESTION)
        assert caught.value.status_code == 401

    def test_an_unknown_model_is_the_hosted_400(self, client):
        with pytest.raises(SDKError, match="Invalid model: no-such-model") as caught:
            client.chat.complete(model="no-such-model", messages=QUESTION)
        assert caught.value.status_code == 400

    def test_a_value_out_of_range_is_a_validation_error(self, client):
        with pytest.raises(HTTPValidationError) as caught:
            client.chat.complete(model="mistral-large-latest", messages=QUESTION, temperature=-1)
        assert caught.value.data.detail[0].loc == ["body", "temperature"]

    def test_errors_before_a_stream_are_plain_answers(self, client):
        with pytest.raises(SDKError, match="Invalid model") as caught:
            client.chat.stream(model="no-such-model", messages=QUESTION)
        assert caught.value.status_code == 400

    def test_a_prompt_beyond_the_context_names_the_limit(self, client):
        with pytest.raises(SDKError, match=r"too large for model with \d+ maximum context length"):
            client.chat.complete(
                model="mistral-large-latest", messages=[{"role": "user", "content": "word " * 9000}]
            )


def dot(left, right):
    return sum(x * y for x, y in zip(left, right, strict=True))
