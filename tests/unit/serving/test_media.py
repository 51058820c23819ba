"""What becomes of images, audio and documents, before a model sees any of them."""

from dataclasses import replace

import pytest

from tests.support.media import audio_chunk, data_url, image_chunk, image_file
from tests.support.metering import FreeMetering
from tests.support.mistral_tokenizers import DATA, SHIPPED
from tests.support.scripted_engine import CONTEXT, ScriptedEngine, generation_model
from tests.support.served import served
from tramontane.core.output_format import PLAIN_TEXT
from tramontane.core.prompt import Modality
from tramontane.engines.protocol import Ability
from tramontane.errors import FeatureNotEnabledError, FileInputError, InvalidRequestError
from tramontane.models.catalog import Catalog
from tramontane.prompts.mistral import MistralRenderer
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.serving.chat import ChatService
from tramontane.serving.media import MediaFiles, check_media
from tramontane.weights.mistral_tokenizer import load_mistral_tokenizer, mistral_vocabulary

pytestmark = pytest.mark.anyio

URL = "https://example.org/a.png"
SAID = {"type": "text", "text": "What is it?"}
BROKEN = [
    image_chunk(url="data:image/png;base64,%%%"),
    image_chunk(url=data_url(b"no image")),
    image_chunk(url=URL),
]


class Remote:
    """Files that are somewhere; `asked` has what was fetched."""

    def __init__(self, **files):
        self.files = files
        self.asked = []

    async def fetch(self, url, max_bytes):
        self.asked.append((url, max_bytes))
        return image_file()


class Renderer:
    output_format = PLAIN_TEXT
    reasoning_efforts = ()

    def __init__(self, *modalities):
        self.modalities = frozenset(modalities)


def model_with(*modalities, abilities=(Ability.VISION, Ability.AUDIO)):
    engine = ScriptedEngine("An image.")
    engine.info = replace(engine.info, abilities=frozenset(abilities))
    return replace(generation_model(engine), chat=Renderer(*modalities))


def messages(*chunks):
    return ChatCompletionRequest.model_validate(
        {"model": "chat", "messages": [{"role": "user", "content": [SAID, *chunks]}]}
    ).messages


async def loaded(model, *chunks, remote=None):
    said = messages(*chunks)
    check_media(said, served(model).traits.modalities)
    return await MediaFiles(remote or Remote()).load(said)


async def refusal(error, model, *chunks, remote=None):
    with pytest.raises(error) as caught:
        await loaded(model, *chunks, remote=remote)
    assert type(caught.value) is error
    return caught.value.message


@pytest.mark.parametrize("chunk", [image_chunk(), *BROKEN, *[image_chunk()] * 9])
async def test_a_model_of_text_refuses_images_before_it_looks_at_them(chunk):
    remote = Remote()
    text = await refusal(FeatureNotEnabledError, model_with(), chunk, remote=remote)
    assert text == "Image input is not enabled for this model"
    assert remote.asked == []


@pytest.mark.parametrize("source", ["UklGRg==", "%%%", "https://example.org/a.mp3"])
async def test_a_model_of_text_refuses_audio_before_it_looks_at_it(source):
    remote = Remote()
    chunk = {"type": "input_audio", "input_audio": source}
    text = await refusal(FeatureNotEnabledError, model_with(), chunk, remote=remote)
    assert text == "Audio input is not enabled for this model"
    assert remote.asked == []


async def test_both_the_tokenizer_and_the_engine_must_know_images():
    both = model_with(Modality.IMAGE)
    assert list(await loaded(both, image_chunk())) == [data_url(image_file())]
    for lacks in (model_with(Modality.IMAGE, abilities=()), model_with(Modality.AUDIO)):
        assert "Image input" in await refusal(FeatureNotEnabledError, lacks, image_chunk())


async def test_what_a_model_cannot_read_is_refused_before_anything_else_is_fetched():
    remote = Remote()
    await refusal(
        FeatureNotEnabledError, model_with(Modality.IMAGE), image_chunk(url=URL), audio_chunk(), remote=remote
    )
    assert remote.asked == []


async def test_files_are_decoded_or_fetched_each_once():
    remote = Remote()
    model = model_with(Modality.IMAGE, Modality.AUDIO)
    sound = audio_chunk(b"RIFF")
    as_url = {"type": "input_audio", "input_audio": data_url(b"RIFF2", "audio/wav")}
    inline = image_chunk(image_file(color="blue"))
    files = await loaded(
        model, image_chunk(url=URL), inline, image_chunk(url=URL), sound, as_url, remote=remote
    )
    assert files == {
        URL: image_file(),
        inline["image_url"]: image_file(color="blue"),
        sound["input_audio"]: b"RIFF",
        as_url["input_audio"]: b"RIFF2",
    }
    assert remote.asked == [(URL, 10 * 2**20)]


async def test_the_object_form_of_an_image_is_the_same():
    chunk = {"type": "image_url", "image_url": {"url": URL, "detail": "high"}}
    assert list(await loaded(model_with(Modality.IMAGE), chunk)) == [URL]


async def test_eight_images_and_no_more():
    model = model_with(Modality.IMAGE)
    assert await loaded(model, *[image_chunk()] * 8)
    remote = Remote()
    text = await refusal(InvalidRequestError, model, *[image_chunk(url=URL)] * 9, remote=remote)
    assert text == "Too many images in request: at most 8, got 9."
    assert remote.asked == []


async def test_sizes():
    model = model_with(Modality.IMAGE)
    largest = bytes(10 * 2**20)
    assert await loaded(model, image_chunk(largest))
    text = await refusal(FileInputError, model, image_chunk(largest + b"x"))
    assert text == "Image input is too large: at most 10485760 bytes, got 10485761."


@pytest.mark.parametrize("payload", ["%%%", "abc", "", "AAAA AAAA", "é"])
async def test_what_is_no_base64_is_the_hosted_error(payload):
    model = model_with(Modality.IMAGE, Modality.AUDIO)
    text = await refusal(FileInputError, model, image_chunk(url=f"data:image/png;base64,{payload}"))
    assert text == "Image input could not be decoded. "
    for source in (payload, f"data:audio/wav;base64,{payload}", f"data:audio/wav,{payload}"):
        text = await refusal(FileInputError, model, {"type": "input_audio", "input_audio": source})
        assert text == "Audio input could not be decoded. "


async def test_an_image_reaches_the_engine_with_its_tokens():
    tokenizer = load_mistral_tokenizer(DATA / SHIPPED["v7-images"])
    renderer = MistralRenderer(tokenizer, mistral_vocabulary(tokenizer))
    engine = ScriptedEngine("Red.")
    engine.info = replace(engine.info, abilities=frozenset({Ability.VISION}))
    prompts = []
    generate = engine.generate
    engine.generate = lambda prompt, params: (
        prompts.append(prompt),
        generate(replace(prompt, token_ids=[1]), params),
    )[1]
    model = replace(generation_model(engine), chat=renderer)
    request = ChatCompletionRequest.model_validate(
        {
            "model": "chat",
            "messages": [{"role": "user", "content": [SAID, image_chunk(image_file((32, 16)))]}],
        }
    )

    completion = await ChatService(Catalog([served(model)]), FreeMetering()).complete(CONTEXT, request)

    (prompt,) = prompts
    (image,) = prompt.images
    assert (image.width, image.height, image.rgb[:3]) == (32, 16, b"\xff\0\0")
    assert completion.usage.prompt_tokens == len(prompt.token_ids)
    marks = tokenizer.instruct_tokenizer.image_encoder.special_ids
    assert prompt.token_ids.count(marks.img) == 2
    assert prompt.token_ids.count(marks.img_end) == 1
