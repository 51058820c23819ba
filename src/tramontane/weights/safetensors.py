"""The safetensors container, one file or sharded, read with distrust.

Format: https://github.com/huggingface/safetensors#format
"""

from collections.abc import Collection, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from tramontane.errors import ModelStoreError
from tramontane.weights.tensors import Encoding, Tensor

_MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""
_LENGTH_BYTES = 8
_SINGLE_FILE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_ENCODINGS = {"F32": (Encoding.F32, 4), "F16": (Encoding.F16, 2), "BF16": (Encoding.BF16, 2)}

_Size = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class _Entry(msgspec.Struct):
    dtype: str
    shape: list[_Size]
    data_offsets: tuple[_Size, _Size]


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


class SafetensorsFolder:
    """The tensors of `model.safetensors`, or of the shards that its index names: a `TensorSource`."""

    def __init__(self, folder: Path) -> None:
        self.files = _files(folder)
        self._shards = [_Shard(path) for path in self.files]
        self._by_name: dict[str, _Shard] = {}
        for shard in self._shards:
            for name in shard.entries:
                if name in self._by_name:
                    raise ModelStoreError(
                        f"{shard.path.name} has the tensor {name}, which another shard has too"
                    )
                self._by_name[name] = shard

    @property
    def names(self) -> Collection[str]:
        """Every tensor there is."""
        return self._by_name.keys()

    def describe(self, name: str) -> tuple[Sequence[int], str]:
        """Shape and dtype of the tensor `name`, which there must be; the dtype in the format's words."""
        entry = self._by_name[name].entries[name]
        return entry.shape, entry.dtype

    def read(self, name: str) -> Tensor:
        """The tensor `name`, as a view into the mapped file.

        Raises:
            ModelStoreError: there is none, or its dtype is not supported.
        """
        try:
            shard = self._by_name[name]
        except KeyError:
            raise ModelStoreError(f"The weights lack the tensor {name}") from None
        return shard.read(name)


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


def _files(folder: Path) -> list[Path]:
    if not (folder / _INDEX).exists():
        return [folder / _SINGLE_FILE]
    try:
        index = msgspec.json.decode((folder / _INDEX).read_bytes(), type=_Index)
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        raise ModelStoreError(f"{_INDEX} cannot be read: {error}") from error
    names = sorted(set(index.weight_map.values()))
    if outside := [name for name in names if Path(name).name != name]:
        raise ModelStoreError(f"{_INDEX} names a file outside of its folder: {outside[0]}")
    return [folder / name for name in names]
