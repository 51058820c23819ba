import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tramontane.engines.worker.framing import FrameDecoder, encode_frame


class Word(msgspec.Struct, tag=True, frozen=True):
    text: str


class Numbers(msgspec.Struct, tag=True, frozen=True):
    values: list[int]


MESSAGES = [Word("a"), Numbers([]), Numbers(list(range(500))), Word(""), Word("é" * 300)]


@given(st.lists(st.integers(1, 700), max_size=20))
def test_messages_survive_every_cut_of_the_stream(sizes):
    stream = b"".join(map(encode_frame, MESSAGES))
    decoder = FrameDecoder(Word | Numbers)
    received = []
    for size in sizes:
        piece, stream = stream[:size], stream[size:]
        received += decoder.feed(piece)
    received += decoder.feed(stream)

    assert received == MESSAGES


def test_a_length_is_four_bytes_little_endian():
    frame = encode_frame(Word("x"))

    assert int.from_bytes(frame[:4], "little") == len(frame) - 4


def test_a_message_of_another_type_is_an_error():
    with pytest.raises(msgspec.ValidationError):
        list(FrameDecoder(Word).feed(encode_frame(Numbers([1]))))
