import base64

import numpy as np
import pytest

from tramontane.schemas.embeddings import EmbeddingResponse

pytestmark = pytest.mark.anyio

URL = "/v1/embeddings"
BODY = {"model": "mistral-embed", "input": "text"}


async def test_an_answer_has_the_hosted_keys(client):
    response = await client.post(URL, json=BODY)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-tramontane-model"] == "tiny-embed"
    answer = response.json()
    assert len(answer.pop("id")) == 32
    assert answer == {
        "object": "list",
        "data": [{"object": "embedding", "embedding": [0.5, -0.25], "index": 0}],
        "model": "mistral-embed",
        "usage": {
            "prompt_tokens": 12,
            "total_tokens": 12,
            "completion_tokens": 0,
            "request_count": None,
            "prompt_tokens_details": None,
            "prompt_token_details": None,
            "completion_tokens_details": None,
            "prompt_audio_seconds": None,
            "service_tier": None,
        },
    }


@pytest.mark.parametrize(
    "vector",
    [
        np.array([0.1, -0.2, 1e-8], dtype=np.float32),
        np.array([-128, 0, 127], dtype=np.int8),
        np.array([0, 255], dtype=np.uint8),
        [1, 2, 3],
        base64.b64encode(np.array([0.1], dtype="<f4").tobytes()).decode(),
    ],
    ids=["float32", "int8", "uint8", "list", "base64"],
)
async def test_vectors_of_every_kind_are_written_as_they_are(client, embeddings, vector):
    embeddings.vectors = [vector, vector]
    answer = (await client.post(URL, json=BODY)).json()

    EmbeddingResponse.model_validate(answer)
    assert [entry["index"] for entry in answer["data"]] == [0, 1]
    for entry in answer["data"]:
        if isinstance(vector, np.ndarray):
            assert np.array_equal(np.array(entry["embedding"], dtype=vector.dtype), vector)
        else:
            assert entry["embedding"] == vector


async def test_numbers_are_as_short_as_their_type_allows(client, embeddings):
    embeddings.vectors = [np.array([0.1], dtype=np.float32)]
    assert '"embedding":[0.1]' in (await client.post(URL, json=BODY)).text


async def test_openais_words_are_understood(client, embeddings):
    response = await client.post(
        URL, json=BODY | {"dimensions": 64, "user": "u", "encoding_format": "base64"}
    )

    assert response.status_code == 200
    assert embeddings.requests[0].output_dimension == 64
    assert embeddings.requests[0].encoding_format == "base64"


async def test_inputs_that_were_cut_are_counted(client, embeddings):
    assert "x-tramontane-truncated-inputs" not in (await client.post(URL, json=BODY)).headers
    embeddings.truncated_inputs = 2
    assert (await client.post(URL, json=BODY)).headers["x-tramontane-truncated-inputs"] == "2"
