import json
import random
import struct

import numpy as np
import pytest

from tests.support.tiny_models import write_safetensors
from tramontane.errors import ModelStoreError
from tramontane.weights.safetensors import SafetensorsFolder
from tramontane.weights.tensors import floats


@pytest.fixture
def folder(tmp_path):
    """Three tensors of numbers that every dtype holds exactly."""
    write_safetensors(
        tmp_path / "model.safetensors", {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(4)}, "F32"
    )
    return tmp_path


def write_raw(folder, header, data=b""):
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)
    return folder


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_tensors_are_read_in_every_floating_dtype(tmp_path, dtype):
    values = np.array([[0.0, 1.5, -2.0], [1024.0, -0.25, 3.0]])
    write_safetensors(tmp_path / "model.safetensors", {"a": values}, dtype)

    tensors = SafetensorsFolder(tmp_path)

    assert set(tensors.names) == {"a"}
    np.testing.assert_array_equal(floats(tensors.read("a")), values)


def test_shards_are_read_as_one(tmp_path):
    write_safetensors(tmp_path / "one.safetensors", {"a": np.ones(2)}, "F32")
    write_safetensors(tmp_path / "two.safetensors", {"b": np.zeros(3)}, "F16")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))

    tensors = SafetensorsFolder(tmp_path)

    assert set(tensors.names) == {"a", "b"}
    np.testing.assert_array_equal(floats(tensors.read("b")), np.zeros(3))


def test_a_shard_outside_of_the_folder_is_refused(tmp_path):
    index = {"weight_map": {"a": "../one.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))

    with pytest.raises(ModelStoreError, match="outside of its folder"):
        SafetensorsFolder(tmp_path)


def test_two_shards_with_the_same_tensor_are_refused(tmp_path):
    for name in ("one", "two"):
        write_safetensors(tmp_path / f"{name}.safetensors", {"a": np.ones(2)}, "F32")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))

    with pytest.raises(ModelStoreError, match="which another shard has too"):
        SafetensorsFolder(tmp_path)


def test_a_missing_tensor_is_named(folder):
    with pytest.raises(ModelStoreError, match="lack the tensor nowhere"):
        SafetensorsFolder(folder).read("nowhere")


def test_every_truncation_is_refused(folder):
    path = folder / "model.safetensors"
    content = path.read_bytes()
    for cut in range(len(content)):
        path.write_bytes(content[:cut])
        with pytest.raises(ModelStoreError):
            [floats(tensors.read(name)) for tensors in [SafetensorsFolder(folder)] for name in tensors.names]


def test_flipped_bytes_give_a_clear_error_or_numbers(folder):
    path = folder / "model.safetensors"
    content = path.read_bytes()
    rng = random.Random(3)
    for _ in range(500):
        damaged = bytearray(content)
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            tensors = SafetensorsFolder(folder)
            for name in tensors.names:
                floats(tensors.read(name))
        except ModelStoreError:
            continue


@pytest.mark.parametrize("length", [1 << 20, 1 << 40, (1 << 64) - 1])
def test_a_header_longer_than_the_file_is_refused(tmp_path, length):
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", length) + b"{}")

    with pytest.raises(ModelStoreError, match="cut off"):
        SafetensorsFolder(tmp_path)


@pytest.mark.parametrize(
    "header",
    [b"", b"[]", b"{", b"\xff\xfe", b'{"a": 1}', b"[" * 100_000, b'{"a":' * 50_000, {"a": {"dtype": "F32"}}],
)
def test_a_header_that_is_no_list_of_tensors_is_refused(tmp_path, header):
    with pytest.raises(ModelStoreError, match="is damaged"):
        SafetensorsFolder(write_raw(tmp_path, header))


@pytest.mark.parametrize(
    "bad",
    [
        entry(offsets=(0, 4)),
        entry(offsets=(8, 0)),
        entry(offsets=(0, 16), shape=(4,)),
        entry(shape=(1 << 40, 1 << 40)),
        entry(shape=(0,), offsets=(0, 0)),
    ],
)
def test_an_extent_that_is_wrong_is_refused(tmp_path, bad):
    folder = write_raw(tmp_path, {"a": bad}, bytes(8))

    with pytest.raises(ModelStoreError, match="extent of tensor a is wrong"):
        SafetensorsFolder(folder).read("a")


def test_an_unsupported_dtype_is_named_with_the_supported_ones(tmp_path):
    folder = write_raw(tmp_path, {"a": entry("I16", offsets=(0, 4))}, bytes(4))

    with pytest.raises(ModelStoreError, match="Tensor a is I16; supported are F32, F16, BF16"):
        SafetensorsFolder(folder).read("a")
