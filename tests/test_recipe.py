from __future__ import annotations

from pathlib import Path

import pytest

from webgpu_kit.errors import RecipeError
from webgpu_kit.recipe import find_recipe, list_recipes, read_recipe
from webgpu_kit.vendor import models_folder


def write_recipe(folder: Path, text: str) -> Path:
    path = folder / "mine" / "recipe.toml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path


def test_built_in_recipes_are_valid() -> None:
    assert {recipe.name for recipe in list_recipes(models_folder())} >= {"digits", "minilm"}


def test_all_problems_are_told_at_once_with_the_file(tmp_path: Path) -> None:
    path = write_recipe(
        tmp_path,
        'source = "a.onnx"\ntask = "sing"\ndtypes = ["q3", "fp32"]\ncolour = "red"\n'
        "[preprocess]\nstd = [0.0]\nblur = 3\n[page]\nfont = 1\n",
    )
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    message = str(caught.value)
    assert str(path) in message and "problems" in message
    for part in ("'sing'", "'q3'", "'colour'", "a 0 would divide", "'preprocess.blur'", "'page.font'"):
        assert part in message
    assert "Supported: fp32, fp16, q8, q4, q4f16" in message and "input, samples, sentences" in message


def test_preprocess_counts_its_values(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, 'source = "a.onnx"\n[preprocess]\nmean = [0.5, 0.5]\n')
    with pytest.raises(RecipeError, match="mean has 2 values, channels='rgb' takes 1 or 3"):
        read_recipe(path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="not valid TOML"):
        read_recipe(write_recipe(tmp_path, "source = "))
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "absent.toml")


def test_source_is_resolved_in_order(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, 'source = "net.onnx"\n')
    by_name = find_recipe("mine", tmp_path)
    by_path = find_recipe(str(path), models_folder())
    by_folder = find_recipe(str(path.parent), models_folder())
    assert by_name == by_path == by_folder
    assert by_name.name == "mine" and by_name.folder == path.parent.resolve()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("some/Path/My Net.onnx", "my-net"),
        ("hf:org/Big_Model@v1.0", "big_model"),
        ("pypi:magika==1.0.3/magika/models/standard_v3_3/model.onnx", "model"),
        ("org/name", "name"),
    ],
)
def test_a_plain_source_gets_a_name(source: str, name: str) -> None:
    assert find_recipe(source, models_folder()).name == name


def test_an_unknown_name_lists_the_recipes() -> None:
    with pytest.raises(RecipeError, match=r"neither a recipe nor a file. Recipes: .*digits.*minilm"):
        find_recipe("digts", models_folder())


def test_command_line_settings_replace_the_recipes(tmp_path: Path) -> None:
    recipe = find_recipe("digits", models_folder(), {"dtypes": ["q4"], "title": "Zahlen"})
    assert recipe.dtypes == ["q4"] and recipe.shown_title == "Zahlen"
    with pytest.raises(RecipeError, match="or change `dtypes`"):
        find_recipe("digits", models_folder(), {"dtypes": ["int8"]})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('title = "x"\n', "there is neither a `source` nor"),
        ('task = "rag"\n', "the task 'rag' takes [models] with `embed`, `chat`, there are none"),
        ('task = "tensor"\n[models]\nembed = "minilm"\n', "[models] is for the tasks `rag`, not for 'tensor'"),
        ('task = "rag"\n[models]\nsing = "x"\n', "[models] has `sing`, the task 'rag' takes `embed`, `chat`"),
        (
            'task = "rag"\ndtypes = ["q8"]\n[models]\nembed = "minilm"\nchat = "smollm2"\n',
            "with [models], `dtypes` must stand in the recipe of the model concerned",
        ),
    ],
)
def test_models_fit_their_task(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_recipe(write_recipe(tmp_path, text))
    assert problem in str(caught.value)
