import sys

import pytest

from tests.support.file_server import make_wheel
from tests.support.tiny_wheel import NAME, WHEEL
from tramontane.errors import ModelStoreError
from tramontane.weights import package_index
from tramontane.weights.package_index import PackageIndex

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("own_pip_settings")]


def test_pip_says_where_the_wheel_is_without_fetching_it(index):
    link = PackageIndex(index.index).locate("tiny-model==1.0")
    assert link.url == index.file_url(NAME)
    assert link.sha256 is not None
    assert index.downloads() == []


def test_an_index_without_metadata_files_costs_the_end_of_the_wheel_only(index):
    index.has_metadata = False
    assert PackageIndex(index.index).locate("tiny-model==1.0").url == index.file_url(NAME)
    assert sum(request.bytes_sent for request in index.downloads()) < 20_000 < len(WHEEL)


def test_a_file_host_that_answers_no_head_does_not_hinder(index):
    index.has_metadata = False
    index.refuses_head = True
    assert PackageIndex(index.index).locate("tiny-model==1.0").url == index.file_url(NAME)


def test_an_index_that_tells_no_hash_is_taken_as_it_is(index):
    index.tells_hash = False
    assert PackageIndex(index.index).locate("tiny-model==1.0").sha256 is None


def test_the_index_of_pips_settings_is_used_when_none_is_given(index, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", index.index)
    assert PackageIndex().locate("tiny-model==1.0").url == index.file_url(NAME)


def test_a_folder_of_wheels_in_pips_settings_is_used(index, monkeypatch, tmp_path):
    (tmp_path / NAME).write_bytes(WHEEL)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert PackageIndex().locate("tiny-model==1.0").url == (tmp_path / NAME).as_uri()


def test_settings_that_guard_installations_do_not_hinder(index, monkeypatch):
    for name in ("PIP_REQUIRE_VIRTUALENV", "PIP_REQUIRE_HASHES", "PIP_USER"):
        monkeypatch.setenv(name, "1")
    assert PackageIndex(index.index).locate("tiny-model==1.0").url == index.file_url(NAME)


def test_a_wheel_that_the_index_does_not_have_is_told(index):
    with pytest.raises(
        ModelStoreError, match=r"the given package index offers us no wheel of tiny-model==2\.0"
    ):
        PackageIndex(index.index).locate("tiny-model==2.0")


def test_no_network_is_told_as_that():
    with pytest.raises(ModelStoreError, match=r"no connection to .*Check the network"):
        PackageIndex("http://127.0.0.1:9/simple").locate("tiny-model==1.0")


def test_a_python_without_pip_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setattr(package_index, "_PIP", (sys.executable, "-S", "-P", "-m", "pip"))
    with pytest.raises(ModelStoreError, match=r"pip is missing .* -m ensurepip"):
        PackageIndex().locate("tiny-model==1.0")


def test_a_damaged_index_is_told_in_pips_words(index):
    index.wheels[NAME] = b"not a wheel"
    index.has_metadata = False
    with pytest.raises(ModelStoreError, match=r"pip cannot get tiny-model==1\.0 .*pip said"):
        PackageIndex(index.index).locate("tiny-model==1.0")


def test_pip_downloads_with_credentials_and_counts_the_bytes(index, tmp_path):
    big = make_wheel("tiny-model", "1.0", {"tiny_model/big.bin": bytes(8_000_000)})
    index.wheels[NAME] = big
    index.credentials = ("operator", "secret")
    seen = []
    wheel = PackageIndex(index.index).download("tiny-model==1.0", tmp_path, seen.append)
    assert wheel.read_bytes() == big
    assert seen[-1] == len(big)


def test_credentials_are_in_no_error(index, tmp_path):
    index.credentials = ("operator", "secret")
    own = index.index
    index.credentials = ("another", "key")
    for action in (
        lambda: PackageIndex(own).locate("tiny-model==1.0"),
        lambda: PackageIndex(own).download("tiny-model==1.0", tmp_path, print),
    ):
        with pytest.raises(ModelStoreError, match="credentials") as caught:
            action()
        assert "secret" not in str(caught.value)
