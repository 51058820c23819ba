import zlib

import pytest

from tramontane.accounts.keys import digest, generate_key, hint, is_well_formed

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_made_keys_are_well_formed_and_differ():
    keys = {generate_key() for _ in range(200)}

    assert len(keys) == 200
    assert all(is_well_formed(key) for key in keys)


def test_a_key_has_its_prefix_random_characters_and_crc32():
    key = generate_key()

    assert key.startswith("tm_")
    assert set(key[3:]) <= set(BASE62)
    assert 62 ** len(key[3:-6]) >= 2**160
    checksum = sum(BASE62.index(digit) * 62**place for place, digit in enumerate(reversed(key[-6:])))
    assert checksum == zlib.crc32(key[:-6].encode())


def test_any_single_wrong_character_is_noticed():
    key = generate_key()
    for place, character in enumerate(key):
        other = "x" if character != "x" else "y"
        assert not is_well_formed(key[:place] + other + key[place + 1 :])


@pytest.mark.parametrize(
    "change", [str.lower, str.upper, lambda key: key[:-1], lambda key: key + "0", str.strip]
)
def test_a_changed_key_is_not_well_formed(change):
    key = generate_key()
    changed = change(key)

    assert is_well_formed(changed) is (changed == key)


@pytest.mark.parametrize(
    "text", ["", "tm_", "Bearer", "é" * 39, "\ud800" * 39, "tm_" + "0" * 36, "\0" * 39, "x" * 10**6]
)
def test_other_texts_are_not_well_formed(text):
    assert not is_well_formed(text)


def test_the_stored_form_is_sha256():
    # The test vector of FIPS 180-2, appendix B.1.
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_hint_shows_the_last_four_characters_only():
    key = generate_key()

    assert hint(key) == "tm_…" + key[-4:]
