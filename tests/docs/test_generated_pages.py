import pytest
from scripts.generate_docs import DOCS, PAGES, filled


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_what_the_code_says(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert text == filled(text, PAGES[page]), "run `make docs`"


def test_a_block_that_nobody_writes_is_an_error():
    with pytest.raises(ValueError, match="unknown"):
        filled("<!-- generated: unknown -->\n<!-- end -->", {})
    with pytest.raises(ValueError, match="missing"):
        filled("", {"missing": str})
