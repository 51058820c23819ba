import numpy as np
import pytest

from tests.support.media import sound_file
from tramontane.errors import AudioFileError
from tramontane.prompts import audio
from tramontane.prompts.audio import read_audio


def loudness(samples):
    return float(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_formats_and_rates(form, rate):
    samples = read_audio(sound_file(2.0, rate=rate, form=form), 16_000)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(32_000, rel=0.1)  # some formats pad their blocks
    assert loudness(samples[8_000:24_000]) == pytest.approx(0.5 / 2**0.5, rel=0.05)


@pytest.mark.parametrize("limit", ["MAX_SECONDS", "MAX_SAMPLES"])
def test_too_much_sound_is_refused_before_it_is_decoded(monkeypatch, limit):
    monkeypatch.setattr(audio, limit, 60)
    read_audio(sound_file(10 / 16_000), 16_000)
    with pytest.raises(AudioFileError, match="too long"):
        read_audio(sound_file(61.0), 16_000)
