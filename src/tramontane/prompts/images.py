"""Image files: read, and refused as the hosted API refuses them."""

from io import BytesIO
from typing import Final

from PIL import Image, UnidentifiedImageError

from tramontane.errors import FileInputError

MAX_SIDE: Final = 10_000
"""Pixels, as hosted."""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")

# The size is checked below, once the header is read and before a pixel is.
Image.MAX_IMAGE_PIXELS = None


def read_image(data: bytes, source: str) -> Image.Image:
    """The pixels of an image file, as RGB; what is transparent is white.

    Args:
        data: a whole file.
        source: what an error calls it: "input", or "from 'https://…'".

    Raises:
        FileInputError: it is broken, too large, animated, or in another format.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _check(image, source)
            return _rgb(image)
    except UnidentifiedImageError as error:
        raise FileInputError(
            f"Image {source} has an invalid format. Allowed formats are {','.join(FORMATS)}."
        ) from error
    except FileInputError:
        raise
    except Exception as error:  # decoders raise whatever a broken file leads them to
        raise FileInputError(f"Image {source} could not be decoded. ") from error


def _check(image: Image.Image, source: str) -> None:
    if max(image.size) > MAX_SIDE:
        width, height = image.size
        raise FileInputError(
            f"Image {source} is too large: at most {MAX_SIDE}x{MAX_SIDE} pixels, got {width}x{height}."
        )
    if getattr(image, "n_frames", 1) > 1:
        raise FileInputError(f"Image {source} is animated. Only images of a single frame are allowed.")


def _rgb(image: Image.Image) -> Image.Image:
    """As mistral-common does it."""
    if image.mode == "RGB":
        image.load()
        return image
    layered = image.convert("RGBA")
    white = Image.new("RGBA", layered.size, "WHITE")
    white.paste(layered, (0, 0), layered)
    return white.convert("RGB")
