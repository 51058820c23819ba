import random
import struct

import gguf
import numpy as np
import pytest

from tests.support.tiny_models import WIDE_LLAMA, write_tiny_gguf
from tramontane.errors import ModelStoreError
from tramontane.weights.gguf import read_gguf
from tramontane.weights.tensors import GGML_ENCODINGS, Encoding, floats

STRING, ARRAY, UINT32, UINT8 = 8, 9, 4, 0


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", encoding="Q4_1")


def header(*, tensors=0, keys=0, version=3, magic=b"GGUF"):
    return magic + struct.pack("<IQQ", version, tensors, keys)


def text(value):
    return struct.pack("<Q", len(value)) + value


def key(name, kind, value):
    return text(name) + struct.pack("<I", kind) + value


def tensor(name, shape, kind=0, offset=0):
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def refusal(tmp_path, content):
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelStoreError) as caught:
        read_gguf(path)
    return str(caught.value)


def test_metadata_and_tensors_are_what_the_reference_reader_finds(tiny):
    ours, reference = read_gguf(tiny), gguf.GGUFReader(tiny)

    for name, field in reference.fields.items():
        if name.startswith("GGUF."):
            continue
        match field.contents():
            case str() as value:
                assert ours.metadata.text(name) == value
            case bool() as value:
                assert ours.metadata.flag(name, default=not value) is value
            case int() as value:
                assert ours.metadata.integer(name) == value
            case float() as value:
                assert ours.metadata.number(name) == value
            case [str(), *_] as value:
                assert ours.metadata.strings(name) == value
            case value:
                assert ours.metadata.numbers(name).tolist() == value
    assert list(ours.tensors) == [tensor.name for tensor in reference.tensors]
    for tensor in reference.tensors:
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        np.testing.assert_array_equal(floats(ours.tensors[tensor.name]), expected)


@pytest.mark.parametrize("encoding", [e.name for e in GGML_ENCODINGS if e is not Encoding.BF16])
def test_every_supported_encoding_reads_as_the_reference_reads_it(tmp_path, encoding):
    path = write_tiny_gguf(tmp_path / "tiny.gguf", shape=WIDE_LLAMA, encoding=encoding)

    ours = read_gguf(path).tensors["blk.0.attn_q.weight"]

    assert ours.encoding.name == encoding
    theirs = next(t for t in gguf.GGUFReader(path).tensors if t.name == ours.name)
    np.testing.assert_array_equal(floats(ours), gguf.quants.dequantize(theirs.data, theirs.tensor_type))


def test_every_truncation_is_refused(tiny, tmp_path):
    content = tiny.read_bytes()
    tensor_bytes = sum(t.rows.size for t in read_gguf(tiny).tensors.values())
    cuts = {*range(200), *range(200, len(content), 97), len(content) - tensor_bytes}

    for cut in sorted(cuts):
        assert refusal(tmp_path, content[:cut])


def test_flipped_bytes_give_a_clear_error_or_a_file_within_its_bounds(tiny, tmp_path):
    content = tiny.read_bytes()
    header_bytes = len(content) - sum(t.rows.size for t in read_gguf(tiny).tensors.values())
    rng = random.Random(7)
    path = tmp_path / "flipped.gguf"
    for _ in range(600):
        damaged = bytearray(content)
        for _ in range(rng.choice([1, 1, 2, 8])):
            damaged[rng.randrange(header_bytes)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        path.write_bytes(damaged)
        try:
            file = read_gguf(path)
        except ModelStoreError:
            continue
        assert all(tensor.rows.size <= len(content) for tensor in file.tensors.values())


@pytest.mark.parametrize("huge", [1 << 20, 1 << 32, 1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize(
    "content",
    [
        lambda n: header(tensors=n),
        lambda n: header(keys=n),
        lambda n: header(keys=1) + struct.pack("<Q", n),
        lambda n: header(keys=1) + key(b"a", STRING, struct.pack("<Q", n)),
        lambda n: header(keys=1) + key(b"a", ARRAY, struct.pack("<IQ", STRING, n)),
        lambda n: header(keys=1) + key(b"a", ARRAY, struct.pack("<IQ", UINT8, n)),
        lambda n: header(keys=1) + key(b"a", ARRAY, struct.pack("<IQ", ARRAY, n)),
        lambda n: header(tensors=1) + tensor(b"t", [n]),
        lambda n: header(tensors=1) + tensor(b"t", [n, n, n, n]),
        lambda n: header(tensors=1) + tensor(b"t", [8], offset=n),
    ],
)
def test_huge_counts_and_extents_are_refused_at_once(tmp_path, content, huge):
    assert "cannot be used" not in refusal(tmp_path, content(huge) + b"\0" * 256)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read"),
        (b"GGML" + bytes(100), "does not begin with GGUF"),
        (header(version=1) + bytes(64), "version is 0x1"),
        (header(version=3 << 24) + bytes(64), "little-endian"),
        (header(keys=2) + key(b"a", UINT32, bytes(4)) * 2, "'a' twice"),
        (header(keys=1) + key(b"a", 99, bytes(4)), "unknown type 99"),
        (header(keys=1) + key(b"a", STRING, text(b"\xff\xfe")), "not UTF-8"),
        (header(keys=1) + key(b"general.alignment", UINT32, struct.pack("<I", 0)), "alignment is 0"),
        (header(keys=1) + key(b"general.alignment", UINT32, struct.pack("<I", 48)), "alignment is 48"),
        (header(tensors=1) + tensor(b"t", []), "0 dimensions"),
        (header(tensors=1) + tensor(b"t", [1] * 5), "5 dimensions"),
        (header(tensors=1) + tensor(b"t", [0]), "whole blocks"),
        (header(tensors=1) + tensor(b"t", [33], kind=2), "whole blocks"),
        (header(tensors=1) + tensor(b"t", [8], offset=4) + bytes(256), "not aligned"),
        (header(tensors=2) + tensor(b"t", [8]) * 2 + bytes(256), "'t' twice"),
        (header(tensors=1) + tensor(b"t", [8], kind=4) + bytes(256), "'t' is type 4; supported are F32"),
        (header(tensors=1) + tensor(b"t", [256], kind=29) + bytes(256), "IQ1_M; supported are F32"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, content, said):
    assert said in refusal(tmp_path, content)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelStoreError, match=r"none\.gguf cannot be read"):
        read_gguf(tmp_path / "none.gguf")


def test_values_are_refused_that_are_missing_or_of_another_type(tiny):
    metadata = read_gguf(tiny).metadata

    assert metadata.integer("no.such.key", 5) == 5
    with pytest.raises(ModelStoreError, match=r"no\.such.key is missing"):
        metadata.integer("no.such.key")
    with pytest.raises(ModelStoreError, match=r"general\.name of the GGUF file is str, not int"):
        metadata.integer("general.name")
    with pytest.raises(ModelStoreError, match="add_bos_token of the GGUF file is bool, not int"):
        metadata.integer("tokenizer.ggml.add_bos_token")
