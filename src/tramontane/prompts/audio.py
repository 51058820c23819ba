"""Audio files: read, and refused as the hosted API refuses them."""

from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from tramontane.errors import AudioFileError

MAX_SECONDS: Final = 40 * 60
"""What Mistral's models of speech are said to understand at once."""
MAX_SAMPLES: Final = 2**27
"""Of all channels together, so that a small file cannot fill the memory."""

INVALID_AUDIO: Final = "Failed to load audio file. Verify that the given file is valid mp3 or wav."


def read_audio(data: bytes, sampling_rate: int) -> npt.NDArray[np.float32]:
    """The sound of an audio file as one channel of `sampling_rate` samples a second, -1 to 1.

    Raises:
        AudioFileError: it is broken, too long, or in no known format.
    """
    try:
        with soundfile.SoundFile(BytesIO(data)) as file:
            seconds = file.frames / file.samplerate
            if seconds > MAX_SECONDS or file.frames * file.channels > MAX_SAMPLES:
                raise AudioFileError(f"Audio file is too long: at most {MAX_SECONDS // 60} minutes.")
            channels = file.read(dtype="float32", always_2d=True)
            mono: npt.NDArray[np.float32] = channels.mean(axis=1)
            if not mono.size:
                raise AudioFileError(INVALID_AUDIO)
            return np.asarray(soxr.resample(mono, file.samplerate, sampling_rate), dtype=np.float32)
    except soundfile.SoundFileError as error:
        raise AudioFileError(INVALID_AUDIO) from error
