"""The safetensors container, one file or sharded, read with distrust.

Format: https://github.com/huggingface/safetensors#format
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt

from tramontane.errors import ModelStoreError
from tramontane.weights.tensors import Encoding, Scales, Tensor, floats

_MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""
_LENGTH_BYTES = 8
_ENCODINGS = {
    "F32": (Encoding.F32, 4),
    "F16": (Encoding.F16, 2),
    "BF16": (Encoding.BF16, 2),
    "F8_E4M3": (Encoding.F8_E4M3, 1),
    "F8_E5M2": (Encoding.F8_E5M2, 1),
}
_FLOATS_OF_8_BITS = ("F8_E4M3", "F8_E5M2")
_SCALES = ("weight_scale_inv", "weight_scale", "qscale_weight")
"""What stands beside a `weight` of 8 bits for the numbers that it is to be multiplied by: in Hugging Face's
own checkpoints, in those of the compressed-tensors library, and in Mistral's."""
_OF_ACTIVATIONS = ("activation_scale", "input_scale", "output_scale", "qscale_act", "k_scale", "v_scale")
"""Scales that an engine needs which computes in 8 bits. This one does not."""

_Size = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class _Entry(msgspec.Struct):
    dtype: str
    shape: list[_Size]
    data_offsets: tuple[_Size, _Size]


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


class SafetensorsFolder:
    """The tensors of `model.safetensors`, or of the shards that its index names: a `TensorSource`.

    Scales are part of the matrices that they belong to, and no tensors of their own.

    Args:
        folder: that holds them.
        stem: "model", or another name that the files begin with.
        scale_block: rows and columns that share a scale, where a scale is not for a row or for all.
    """

    def __init__(self, folder: Path, stem: str = "model", scale_block: tuple[int, int] | None = None) -> None:
        self.files = _files(folder, stem)
        self._scale_block = scale_block
        self._shards = [_Shard(path) for path in self.files]
        self._by_name: dict[str, _Shard] = {}
        for shard in self._shards:
            for name in shard.entries:
                if name in self._by_name:
                    raise ModelStoreError(
                        f"{shard.path.name} has the tensor {name}, which another shard has too"
                    )
                self._by_name[name] = shard
        self._names = {name: None for name in self._by_name if not self._is_scale(name)}

    @property
    def names(self) -> Collection[str]:
        """Every tensor there is."""
        return self._names.keys()

    @property
    def elements(self) -> int:
        """Of all tensors together."""
        return sum(self._elements_by_dtype().values())

    @property
    def encoding(self) -> Encoding:
        """Of most elements.

        Raises:
            ModelStoreError: it is not supported.
        """
        by_dtype = self._elements_by_dtype()
        dtype = max(by_dtype, key=by_dtype.__getitem__, default="nothing")
        if dtype not in _ENCODINGS:
            raise ModelStoreError(f"Its weights are {dtype}; supported are {', '.join(_ENCODINGS)}")
        return _ENCODINGS[dtype][0]

    def _elements_by_dtype(self) -> Counter[str]:
        elements: Counter[str] = Counter()
        for name in self._names:
            entry = self._by_name[name].entries[name]
            elements[entry.dtype] += prod(entry.shape)
        return elements

    def read(self, name: str) -> Tensor:
        """The tensor `name`, as a view into the mapped file.

        Raises:
            ModelStoreError: there is none, or its dtype is not supported.
        """
        try:
            shard = self._by_name[name]
        except KeyError:
            raise ModelStoreError(f"The weights lack the tensor {name}") from None
        tensor = shard.read(name)
        if shard.entries[name].dtype not in _FLOATS_OF_8_BITS:
            return tensor
        return replace(tensor, scales=self._scales(tensor))

    def _is_scale(self, name: str) -> bool:
        stem, _, last = name.rpartition(".")
        if last in _SCALES:
            weight = self._by_name.get(f"{stem}.weight")
            return weight is not None and weight.entries[f"{stem}.weight"].dtype in _FLOATS_OF_8_BITS
        return last in _OF_ACTIVATIONS

    def _scales(self, tensor: Tensor) -> Scales:
        """Of a matrix of 8-bit floats: one for all, one a row, or one a block."""
        stem = tensor.name.removesuffix("weight")
        for kind in _SCALES:
            if (name := stem + kind) in self._by_name:
                return _expanded(floats(self._by_name[name].read(name)), tensor, self._scale_block)
        raise ModelStoreError(f"Tensor {tensor.name} is {tensor.encoding}, but its scale is missing")


def _expanded(scales: npt.NDArray[np.float32], tensor: Tensor, block: tuple[int, int] | None) -> Scales:
    """With a row of scales for each row of the matrix."""
    rows, columns = len(tensor.rows), tensor.shape[-1]
    if scales.size == 1:
        return Scales(np.broadcast_to(scales.reshape(1, 1), (rows, 1)), columns)
    if scales.size == rows and block is None:
        return Scales(scales.reshape(rows, 1), columns)
    if block is not None and min(block) > 0:
        high, wide = block
        if scales.shape == (-(-rows // high), -(-columns // wide)):
            return Scales(np.repeat(scales, high, axis=0)[:rows], wide)
    raise ModelStoreError(
        f"The scales of tensor {tensor.name} are {list(scales.shape)}, which does not fit {[rows, columns]}"
    )


class _Shard:
    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            data = np.memmap(path, dtype=np.uint8, mode="r")
        except (OSError, ValueError) as error:
            raise ModelStoreError(f"{path.name} cannot be read: {error}") from error
        header_bytes = int.from_bytes(data[:_LENGTH_BYTES].tobytes(), "little")
        if header_bytes > min(_MAX_HEADER_BYTES, len(data) - _LENGTH_BYTES):
            raise ModelStoreError(f"{path.name} is cut off, or is not a safetensors file")
        start = _LENGTH_BYTES + header_bytes
        self.entries = _entries(path, data[_LENGTH_BYTES:start].tobytes())
        self._data = data[start:]

    def read(self, name: str) -> Tensor:
        entry = self.entries[name]
        if entry.dtype not in _ENCODINGS:
            supported = ", ".join(_ENCODINGS)
            raise ModelStoreError(f"Tensor {name} is {entry.dtype}; supported are {supported}")
        encoding, item_bytes = _ENCODINGS[entry.dtype]
        begin, end = entry.data_offsets
        if end - begin != prod(entry.shape) * item_bytes or not begin < end <= len(self._data):
            raise ModelStoreError(f"{self.path.name} is damaged: the extent of tensor {name} is wrong")
        columns = entry.shape[-1] if entry.shape else 1
        rows = np.asarray(self._data[begin:end]).reshape(-1, columns * item_bytes)
        return Tensor(name, tuple(entry.shape), encoding, rows)


def _entries(path: Path, header: bytes) -> Mapping[str, _Entry]:
    try:
        raw = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        raw.pop("__metadata__", None)
        return {name: msgspec.json.decode(entry, type=_Entry) for name, entry in raw.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelStoreError(f"{path.name} is damaged: its header is no list of tensors: {error}") from error


def _files(folder: Path, stem: str) -> list[Path]:
    index_file = folder / f"{stem}.safetensors.index.json"
    if not index_file.exists():
        return [folder / f"{stem}.safetensors"]
    try:
        index = msgspec.json.decode(index_file.read_bytes(), type=_Index)
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        raise ModelStoreError(f"{index_file.name} cannot be read: {error}") from error
    names = sorted(set(index.weight_map.values()))
    if outside := [name for name in names if Path(name).name != name]:
        raise ModelStoreError(f"{index_file.name} names a file outside of its folder: {outside[0]}")
    return [folder / name for name in names]
