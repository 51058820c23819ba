import pytest

from tests.api.fakes import NOW

pytestmark = pytest.mark.anyio


async def test_a_card_has_the_hosted_keys_in_the_hosted_order(client):
    response = await client.get("/v1/models/mistral-large-latest")

    assert response.status_code == 200
    assert response.text == (
        f'{{"id":"mistral-large-latest","object":"model","created":{NOW},"owned_by":"tramontane","capabilities":'
        '{"completion_chat":true,"function_calling":true,"reasoning":false,"completion_fim":true,'
        '"fine_tuning":false,"vision":false,"ocr":false,"classification":false,"moderation":false,"audio":false,'
        '"audio_transcription":false,"audio_transcription_realtime":false,"audio_speech":false,'
        '"unified_resources":false},"name":"tiny-chat",'
        '"description":"Stand-in for mistral-large-latest: A tiny model.",'
        '"max_context_length":8192,"aliases":["tiny-chat","org/model:tag"],"deprecation":null,'
        '"deprecation_replacement_model":null,"default_model_temperature":0.2,"billing_model_name":null,'
        '"type":"base"}'
    )


async def test_every_id_has_a_card_of_its_own(client):
    response = await client.get("/v1/models")

    assert list(response.json()) == ["object", "data"]
    assert response.json()["object"] == "list"
    assert [(card["id"], card["name"]) for card in response.json()["data"]] == [
        ("tiny-chat", "tiny-chat"),
        ("mistral-large-latest", "tiny-chat"),
        ("org/model:tag", "tiny-chat"),
        ("tiny-embed", "tiny-embed"),
        ("mistral-embed", "tiny-embed"),
    ]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"provider": "someone"}, ["tiny-embed", "mistral-embed"]),
        ({"model": "mistral-embed"}, ["tiny-embed", "mistral-embed"]),
        ({"provider": "tramontane", "model": "mistral-embed"}, []),
        ({"unknown": "1", "model": "nothing"}, []),
    ],
)
async def test_the_list_can_be_narrowed(client, query, ids):
    response = await client.get("/v1/models", params=query)
    assert [card["id"] for card in response.json()["data"]] == ids


@pytest.mark.parametrize("path", ["org/model:tag", "org%2Fmodel%3Atag"])
async def test_ids_may_hold_slashes_and_colons(client, path):
    assert (await client.get(f"/v1/models/{path}")).json()["id"] == "org/model:tag"


@pytest.mark.parametrize("model_id", ["pixtral-large-latest", "a/b/c", "%20"])
async def test_an_unknown_model_is_the_gateways_404(client, model_id):
    response = await client.get(f"/v1/models/{model_id}")

    assert response.status_code == 404
    assert response.json() == {"message": f"Model {model_id.replace('%20', ' ')} was not found."}
