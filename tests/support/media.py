"""Small images and sounds."""

import base64
import io
import math

import numpy as np
import soundfile
from PIL import Image


def image_file(size=(40, 30), color="red", form="PNG", mode="RGB", **options):
    """A file of one colour."""
    file = io.BytesIO()
    Image.new(mode, size, color).save(file, form, **options)
    return file.getvalue()


def animation(form="GIF"):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, form, save_all=True, append_images=frames[1:])
    return file.getvalue()


def sound_file(seconds=1.0, rate=16_000, channels=1, form="WAV"):
    """A tone of 440 Hz; on a second channel it is upside down."""
    tone = 0.5 * np.sin(2 * math.pi * 440 * np.arange(round(seconds * rate)) / rate)
    sound = np.stack([tone, -tone][:channels], axis=1)
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=form)
    return file.getvalue()


def data_url(data, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def image_chunk(data=None, url=None):
    return {"type": "image_url", "image_url": url or data_url(data or image_file())}


def audio_chunk(data=None):
    return {"type": "input_audio", "input_audio": base64.b64encode(data or sound_file()).decode()}
