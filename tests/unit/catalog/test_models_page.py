from pathlib import Path

import pytest

from tramontane.catalog.builtin import builtin_models

PAGE = (Path(__file__).parents[3] / "docs" / "models.md").read_text("utf-8")


@pytest.mark.parametrize("model", builtin_models(), ids=lambda model: model.id)
def test_every_builtin_model_stands_on_the_page(model):
    for fact in (f"`{model.id}`", model.name, model.license, f"{model.max_context_length} tokens"):
        assert fact in PAGE
    assert f"`{model.source.requirement}`" in PAGE
    assert f"models/{model.id}/" in PAGE
