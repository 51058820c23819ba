"""In how many bits a model's matrices are kept: as the operator says, or as the machine has room for."""

from dataclasses import dataclass
from typing import Final, Literal

from tramontane.weights.quantization_setting import Quantization
from tramontane.weights.tensors import Encoding, Tensor

_SMALL: Final = 1 << 30
"""Bytes of weights that `auto` leaves as they are: small models lose most by rounding, and gain least."""
_ROOM: Final = 0.6
"""Of the machine's memory, for weights; the rest is for the cache, the server and all else."""
_INT8_BITS: Final = 8.5
_INT4_BITS: Final = 4.5


@dataclass(frozen=True, slots=True)
class Compression:
    """Matrices of more bits are rounded to so many, in groups of neighbours with a scale each."""

    bits: Literal[4, 8] | None = None
    """None keeps every matrix as it is stored."""
    group_size: int = 32

    def rounds(self, encoding: Encoding) -> bool:
        """Whether matrices that are stored so get other numbers."""
        match self.bits:
            case None:
                return False
            case 8:
                return encoding.bits > _INT8_BITS or encoding in _FLOATS_OF_8_BITS
            case _:
                return encoding.bits > _INT4_BITS

    @property
    def name(self) -> str:
        """As the setting is called; empty where nothing is rounded."""
        match self.bits:
            case None:
                return ""
            case 8:
                return "int8"
            case _:
                return "int4" if self.group_size == _GROUP else f"int4-{self.group_size}"


_FLOATS_OF_8_BITS: Final = (Encoding.F8_E4M3, Encoding.F8_E5M2)
_GROUP: Final = 64
KEEP: Final = Compression()
INT8: Final = Compression(8)
_BY_NAME: Final[dict[Quantization, Compression]] = {
    "none": KEEP,
    "int8": INT8,
    "int4": Compression(4, _GROUP),
    "int4-32": Compression(4, 32),
    "int4-128": Compression(4, 128),
}


def choose_compression(
    quantization: Quantization, *, elements: int, encoding: Encoding, memory: int, embeds: bool = False
) -> Compression:
    """What `quantization` means for a model of so many `elements`, most of them stored as `encoding`.

    `auto` keeps what is quantised already and what is small. Other weights get 8 bits if these take no more
    than 60 per cent of `memory` (bytes that this machine has), else 4. A model that `embeds` is kept as it is
    if it fits into that: rounded, its vectors would no longer be those of its makers.
    """
    if quantization != "auto":
        return _BY_NAME[quantization]
    is_float = encoding.bits >= 16
    if not is_float and encoding not in _FLOATS_OF_8_BITS:
        return KEEP
    if is_float and (elements * encoding.bits / 8 <= _SMALL or (embeds and elements * 4 <= memory * _ROOM)):
        return KEEP
    return INT8 if elements * _INT8_BITS / 8 <= memory * _ROOM else _BY_NAME["int4"]


def at_least_8_bits(compression: Compression) -> Compression:
    """For the matrices that are worth it: embeddings and the output projection."""
    return INT8 if compression.bits == 4 else compression


def keeps_floats(tensor: Tensor, compression: Compression) -> bool:
    """Whether the matrix `tensor` stays one of floating-point numbers."""
    is_float = tensor.encoding.bits >= 16 or tensor.encoding in _FLOATS_OF_8_BITS
    return is_float and not compression.rounds(tensor.encoding)
