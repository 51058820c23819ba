"""Prompts with images and sound, token for token those of mistral-common.

The library reads the same files by itself for the reference. Only its arithmetic on pixels is left out, for
which it wants OpenCV: the size that it asks for is compared, and the pixels with what they must be.
"""

import base64
import io

import mistral_common.tokens.tokenizers.image as reference_image
import numpy as np
import pytest
from mistral_common.protocol.instruct import chunk as mc_chunks
from mistral_common.protocol.instruct import messages as mc
from mistral_common.protocol.instruct.request import ChatCompletionRequest as Reference
from PIL import Image

from tests.support.media import audio_chunk, data_url, image_chunk, image_file, sound_file
from tests.support.mistral_tokenizers import ALL, WITH_AUDIO, WITH_IMAGES, chat_input
from tramontane.core.prompt import Modality
from tramontane.errors import AudioFileError, FeatureNotEnabledError, FileInputError

SIZES = [(1, 1), (16, 16), (28, 28), (29, 28), (40, 30), (1000, 700), (1541, 20), (20, 5000), (2000, 3000)]


def rendered(loaded, content, files, **others):
    return loaded.chat.render(
        chat_input([{"role": "user", "content": content}], files=files, **others), 100_000
    )


def source_of(chunk):
    return chunk.get("image_url") or chunk["input_audio"]


@pytest.fixture
def sizes(monkeypatch):
    """The sizes that the library asks for, in order."""
    asked = []

    def transform_image(image, new_size):
        asked.append(new_size)
        return np.zeros((3, new_size[1], new_size[0]), np.float32)

    monkeypatch.setattr(reference_image, "transform_image", transform_image)
    return asked


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", WITH_IMAGES)
def test_an_image_is_the_reference_token_for_token(load, sizes, name, size):
    loaded = load(name)
    file = image_file(size)
    chunk, said = image_chunk(file), {"type": "text", "text": "What is it?"}
    reference = mc.UserMessage(
        content=[
            mc_chunks.TextChunk(text="What is it?"),
            mc_chunks.ImageChunk(image=Image.open(io.BytesIO(file))),
        ]
    )
    expected = loaded.reference.encode_chat_completion(Reference(model="m", messages=[reference])).tokens

    prompt = rendered(loaded, [said, chunk], {source_of(chunk): file}).prompt

    assert list(prompt.token_ids) == expected
    assert [(image.width, image.height) for image in prompt.images] == sizes
    (image,) = prompt.images
    assert image.rgb == b"\xff\x00\x00" * (image.width * image.height)


@pytest.mark.parametrize("name", WITH_IMAGES)
def test_images_keep_their_order_and_their_places(load, sizes, name):
    loaded = load(name)
    files = [image_file((20 * (1 + at), 20), color) for at, color in enumerate(["red", "lime", "blue"])]
    urls = ["https://example.org/0.png", data_url(files[1]), "https://example.org/2.png"]
    wire = [
        {
            "role": "user",
            "content": [image_chunk(url=urls[0]), {"type": "text", "text": "and"}, image_chunk(url=urls[1])],
        },
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": [{"type": "text", "text": "and now"}, image_chunk(url=urls[2])]},
    ]
    images = [mc_chunks.ImageChunk(image=Image.open(io.BytesIO(file))) for file in files]
    reference = [
        mc.UserMessage(content=[images[0], mc_chunks.TextChunk(text="and"), images[1]]),
        mc.AssistantMessage(content="Two."),
        mc.UserMessage(content=[mc_chunks.TextChunk(text="and now"), images[2]]),
    ]
    expected = loaded.reference.encode_chat_completion(Reference(model="m", messages=reference)).tokens

    prompt = loaded.chat.render(chat_input(wire, files=dict(zip(urls, files, strict=True))), 100_000).prompt

    assert list(prompt.token_ids) == expected
    assert [image.rgb[:3] for image in prompt.images] == [b"\xff\0\0", b"\0\xff\0", b"\0\0\xff"]
    assert [(image.width, image.height) for image in prompt.images] == sizes


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("name", WITH_AUDIO)
def test_sound_is_the_reference_token_for_token(load, name, form):
    loaded = load(name)
    file = sound_file(31.5, form=form.upper())
    chunk = audio_chunk(file)
    reference = mc.UserMessage(
        content=[
            mc_chunks.AudioChunk(input_audio=base64.b64encode(file).decode()),
            mc_chunks.TextChunk(text="Who?"),
        ]
    )
    expected = loaded.reference.encode_chat_completion(Reference(model="m", messages=[reference]))

    prompt = rendered(loaded, [chunk, {"type": "text", "text": "Who?"}], {source_of(chunk): file}).prompt

    assert list(prompt.token_ids) == expected.tokens
    (audio,), (expected_audio,) = prompt.audios, expected.audios
    assert audio.sampling_rate == expected_audio.sampling_rate
    assert np.array_equal(np.frombuffer(audio.samples, "<f4"), expected_audio.audio_array)


def test_channels_are_mixed_and_rates_converted(load):
    file = sound_file(2.0, rate=44_100, channels=2)
    chunk = audio_chunk(file)
    prompt = rendered(load("v7-tekken-audio"), [chunk], {source_of(chunk): file}).prompt
    (audio,) = prompt.audios
    samples = np.frombuffer(audio.samples, "<f4")
    assert audio.sampling_rate == 16_000
    assert len(samples) == 30 * 16_000
    assert np.abs(samples).max() < 1e-4  # the second channel is the first one upside down


@pytest.mark.parametrize("name", [*ALL, *WITH_IMAGES, *WITH_AUDIO])
def test_a_tokenizer_says_what_it_has_tokens_for(load, name):
    expected = {Modality.IMAGE} if name in WITH_IMAGES else {Modality.AUDIO} if name in WITH_AUDIO else set()
    assert load(name).chat.modalities == expected


@pytest.mark.parametrize("name", WITH_AUDIO)
def test_what_a_model_cannot_read_is_refused(load, name):
    chunk = image_chunk()
    with pytest.raises(FeatureNotEnabledError, match="Image input is not enabled for this model"):
        rendered(load(name), [chunk], {})


@pytest.mark.parametrize(
    "file", [b"", b"GIF89a", b"\0" * 100, image_file()[:60]], ids=["empty", "head", "zeros", "cut"]
)
def test_a_file_that_is_no_image_is_the_hosted_error(load, file):
    chunk = image_chunk(url="https://example.org/x.png")
    with pytest.raises(FileInputError, match=r"^Image from 'https://example.org/x.png' "):
        rendered(load("v7-images"), [chunk], {source_of(chunk): file})


@pytest.mark.parametrize(
    "file", [b"", b"RIFF", b"\0" * 100, sound_file(0)], ids=["empty", "head", "zeros", "silence"]
)
def test_a_file_that_is_no_audio_is_the_hosted_error(load, file):
    chunk = audio_chunk()
    with pytest.raises(AudioFileError) as caught:
        rendered(load("v7-tekken-audio"), [chunk], {source_of(chunk): file})
    assert (
        caught.value.message == "Failed to load audio file. Verify that the given file is valid mp3 or wav."
    )
    assert caught.value.body()["code"] == "3291"
    assert caught.value.body()["type"] == "invalid_request_audio"
