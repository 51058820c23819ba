"""The GGUF container, read with distrust: every count, length and extent is checked before it is believed.

Format: versions 2 and 3 of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, little-endian.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType

from tramontane.errors import ModelStoreError
from tramontane.weights.gguf_metadata import Metadata, MetadataValue, Numbers
from tramontane.weights.tensors import GGML_ENCODINGS, Encoding, Tensor

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MAX_KEYS = 1 << 16
_MAX_TENSORS = 1 << 16
_MAX_STRINGS = 1 << 22
_MAX_DIMENSIONS = 4
_DEFAULT_ALIGNMENT = 32
_MIN_ALIGNMENT = 8

_SCALARS: Mapping[GGUFValueType, str] = {
    GGUFValueType.UINT8: "<u1",
    GGUFValueType.INT8: "<i1",
    GGUFValueType.UINT16: "<u2",
    GGUFValueType.INT16: "<i2",
    GGUFValueType.UINT32: "<u4",
    GGUFValueType.INT32: "<i4",
    GGUFValueType.UINT64: "<u8",
    GGUFValueType.INT64: "<i8",
    GGUFValueType.FLOAT32: "<f4",
    GGUFValueType.FLOAT64: "<f8",
    GGUFValueType.BOOL: "?",
}


@dataclass(frozen=True, slots=True)
class GgufFile:
    """The header of a file, and its tensors as views into the mapped file. Tensor names are GGUF's."""

    metadata: Metadata
    tensors: Mapping[str, Tensor]


def read_gguf(path: Path) -> GgufFile:
    """Map `path` and read its header, in time and memory bounded by the size of the file.

    Raises:
        ModelStoreError: it cannot be read, is damaged or holds what is not supported.
    """
    try:
        data = np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise ModelStoreError(f"{path.name} cannot be read: {error}") from error
    return _Reader(data).read()


def _damaged(why: str) -> ModelStoreError:
    return ModelStoreError(f"It is not a GGUF file that can be used: {why}")


class _Reader:
    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        self._data = data
        self._buffer = memoryview(data.data)
        self._position = 0
        self._strings_left = _MAX_STRINGS

    def read(self) -> GgufFile:
        if bytes(self._take(4)) != _MAGIC:
            raise _damaged("it does not begin with GGUF")
        version = self._unpack("<I")
        if version not in _VERSIONS:
            raise _damaged(
                f"its version is {version:#x}; versions 2 and 3 in little-endian order are supported"
            )
        tensor_count, key_count = self._unpack("<Q"), self._unpack("<Q")
        if tensor_count > _MAX_TENSORS or key_count > _MAX_KEYS:
            raise _damaged(f"it claims {tensor_count} tensors and {key_count} keys")
        metadata = self._metadata(key_count)
        infos = [self._tensor_info() for _ in range(tensor_count)]
        tensors = self._tensors(infos, _alignment(metadata))
        return GgufFile(Metadata(metadata), tensors)

    def _metadata(self, count: int) -> dict[str, MetadataValue]:
        metadata: dict[str, MetadataValue] = {}
        for _ in range(count):
            key = self._text()
            if key in metadata:
                raise _damaged(f"it has the key {key!r} twice")
            metadata[key] = self._value(self._value_type(), key)
        return metadata

    def _value(self, kind: GGUFValueType, key: str) -> MetadataValue:
        match kind:
            case GGUFValueType.STRING:
                return self._text()
            case GGUFValueType.ARRAY:
                return self._array(key)
            case _:
                scalar: str | int | float | bool = self._numbers(_SCALARS[kind], 1)[0].item()
                return scalar

    def _array(self, key: str) -> Sequence[str] | Numbers:
        kind, count = self._value_type(), self._unpack("<Q")
        match kind:
            case GGUFValueType.STRING:
                self._strings_left -= count
                if self._strings_left < 0:
                    raise _damaged(f"{key!r} claims {count} strings")
                return [self._text() for _ in range(count)]
            case GGUFValueType.ARRAY:
                raise _damaged(f"{key!r} is an array of arrays")
            case _:
                return self._numbers(_SCALARS[kind], count)

    def _tensor_info(self) -> "_TensorInfo":
        name = self._text()
        dimensions = self._unpack("<I")
        if not 1 <= dimensions <= _MAX_DIMENSIONS:
            raise _damaged(f"tensor {name!r} has {dimensions} dimensions")
        innermost_first = [self._unpack("<Q") for _ in range(dimensions)]
        kind, offset = self._unpack("<I"), self._unpack("<Q")
        return _TensorInfo(name, tuple(reversed(innermost_first)), kind, offset)

    def _tensors(self, infos: "Sequence[_TensorInfo]", alignment: int) -> dict[str, Tensor]:
        start = -(-self._position // alignment) * alignment
        tensors: dict[str, Tensor] = {}
        for info in infos:
            if info.name in tensors:
                raise _damaged(f"it has the tensor {info.name!r} twice")
            rows, row_bytes = info.extent()
            if info.offset % alignment:
                raise _damaged(f"tensor {info.name!r} is not aligned to {alignment} bytes")
            begin, end = start + info.offset, start + info.offset + rows * row_bytes
            if end > len(self._data):
                raise _damaged(f"tensor {info.name!r} ends at byte {end}, the file at {len(self._data)}")
            view = np.asarray(self._data[begin:end]).reshape(rows, row_bytes)
            tensors[info.name] = Tensor(info.name, info.shape, info.encoding(), view)
        return tensors

    def _value_type(self) -> GGUFValueType:
        number = self._unpack("<I")
        try:
            return GGUFValueType(number)
        except ValueError:
            raise _damaged(f"it has a value of unknown type {number}") from None

    def _text(self) -> str:
        try:
            return str(self._take(self._unpack("<Q")), "utf-8")
        except UnicodeDecodeError as error:
            raise _damaged(f"it has text that is not UTF-8: {error}") from error

    def _numbers(self, dtype: str, count: int) -> Numbers:
        return np.frombuffer(self._take(count * np.dtype(dtype).itemsize), dtype)

    def _unpack(self, layout: str) -> int:
        (value,) = struct.unpack(layout, self._take(struct.calcsize(layout)))
        return int(value)

    def _take(self, size: int) -> memoryview:
        end = self._position + size
        if end > len(self._buffer):
            raise _damaged("it is cut off, or a length in it is wrong")
        taken = self._buffer[self._position : end]
        self._position = end
        return taken


@dataclass(frozen=True, slots=True)
class _TensorInfo:
    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    def encoding(self) -> Encoding:
        name = GGMLQuantizationType(self.kind).name if self.kind in _KINDS else f"type {self.kind}"
        for encoding in GGML_ENCODINGS:
            if encoding.name == name:
                return encoding
        supported = ", ".join(encoding.name for encoding in GGML_ENCODINGS)
        raise _damaged(f"tensor {self.name!r} is {name}; supported are {supported}")

    def extent(self) -> tuple[int, int]:
        """Rows, and bytes of a row."""
        block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType[self.encoding().name]]
        columns = self.shape[-1]
        if prod(self.shape) == 0 or columns % block:
            raise _damaged(f"tensor {self.name!r} of shape {list(self.shape)} is not made of whole blocks")
        return prod(self.shape[:-1]), columns // block * block_bytes


_KINDS = frozenset(kind.value for kind in GGMLQuantizationType)


def _alignment(metadata: Mapping[str, MetadataValue]) -> int:
    match metadata.get("general.alignment", _DEFAULT_ALIGNMENT):
        case int() as alignment if alignment >= _MIN_ALIGNMENT and alignment.bit_count() == 1:
            return alignment
        case alignment:
            raise _damaged(f"its alignment is {alignment!r}")
