import contextlib
import io

import pytest
from PIL import Image

from tests.support.media import animation, image_file
from tramontane.errors import FileInputError
from tramontane.prompts.images import read_image


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_the_hosted_formats_are_read(form):
    image = read_image(image_file((5, 3), form=form), "input")
    assert (image.size, image.mode) == ((5, 3), "RGB")
    red, green, blue = image.getpixel((2, 1))
    assert red > 240
    assert green < 20 > blue


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "I;16", "RGBA"])
def test_images_of_all_modes_become_rgb(mode):
    assert read_image(image_file(mode=mode, color=0), "input").mode == "RGB"


def test_what_is_transparent_is_white():
    assert read_image(image_file(mode="RGBA", color=(0, 0, 0, 0)), "input").getpixel((0, 0)) == (255,) * 3


@pytest.mark.parametrize("form", ["BMP", "TIFF", "ICO", "PDF"])
def test_other_formats_are_refused_with_those_that_are_read(form):
    with pytest.raises(FileInputError) as caught:
        read_image(image_file(form=form), "from 'https://example.org/a'")
    assert caught.value.message == (
        "Image from 'https://example.org/a' has an invalid format. Allowed formats are JPEG,PNG,WEBP,GIF."
    )
    assert caught.value.body()["code"] == "3310"
    assert caught.value.body()["type"] == "invalid_request_file"


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_animations_are_refused(form):
    with pytest.raises(FileInputError, match="Only images of a single frame"):
        read_image(animation(form), "input")


@pytest.mark.parametrize("size", [(10_001, 1), (1, 10_001)])
def test_an_image_that_is_too_large_is_refused_before_it_is_decoded(size):
    whole = image_file(size)
    with pytest.raises(FileInputError, match=f"at most 10000x10000 pixels, got {size[0]}x{size[1]}"):
        read_image(whole[:60], "input")


def test_an_image_may_be_as_large_as_hosted():
    assert read_image(image_file((10_000, 10_000), color=0, mode="1"), "input").size == (10_000, 10_000)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_broken_file_never_raises_anything_else(form):
    noise = Image.effect_noise((64, 48), 80).convert("RGB")
    file = io.BytesIO()
    noise.save(file, form)
    whole = file.getvalue()
    for cut in range(0, len(whole), max(1, len(whole) // 50)):
        broken = whole[:cut] + bytes(8) + whole[cut + 8 :]
        for data in (whole[:cut], broken):
            with contextlib.suppress(FileInputError):
                read_image(data, "input")
