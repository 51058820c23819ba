"""Browser libraries are the files that their authors published, with their licences."""

from scripts.vendor import FOR_TESTS, LIBRARIES, SHIPPED, path_of, wrong_files


def test_files_are_what_was_published():
    assert wrong_files() == []


def test_nothing_else_is_among_them():
    known = {path_of(library, name) for library in LIBRARIES for name in library.files}
    there = {path for folder in (SHIPPED, FOR_TESTS) for path in folder.rglob("*") if path.is_file()}

    assert there == known


def test_each_has_its_licence():
    assert all("LICENSE" in library.files for library in LIBRARIES)
