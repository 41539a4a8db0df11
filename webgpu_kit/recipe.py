"""A recipe: the source and every setting of a build, validated at once, before any work starts.

`find_recipe` turns what the user typed (SOURCE and options) into one frozen Recipe; later stages only read it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.json_schema import SkipJsonSchema

from webgpu_kit.errors import RecipeError
from webgpu_kit.manifest import Dtype

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RECIPE_FILE = "recipe.toml"
TaskName = Literal[
    "image-classification",
    "feature-extraction",
    "text-classification",
    "token-classification",
    "fill-mask",
    "zero-shot-classification",
    "sentence-similarity",
    "text-ranking",
    "text-generation",
    "tensor",
    "rag",
]
TASK_NAMES: tuple[str, ...] = get_args(TaskName)
DTYPES: tuple[str, ...] = get_args(Dtype)
# What the page of a task with several models uses each of them for, and the task that each must have.
EMBED_ROLE = "embed"
MODEL_ROLES: dict[str, dict[str, str]] = {"rag": {EMBED_ROLE: "feature-extraction", "chat": "text-generation"}}
OF_ONE_MODEL = (
    "source",
    "dtypes",
    "sha256",
    "labels",
    "labels_file",
    "head",
    "shapes",
    "thresholds",
    "agreement",
    "preprocess",
)


def _check_choice(what: str, allowed: tuple[str, ...]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value is not None and value not in allowed:
            raise ValueError(f"{what} {value!r} is not supported. Supported: {', '.join(allowed)}")
        return value

    return BeforeValidator(check)


def _refuse_zero(values: list[float]) -> list[float]:
    if 0 in values:
        raise ValueError("a 0 would divide by zero")
    return values


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preprocess(_Table):
    """How an image becomes the model's input: the arithmetic that is put into the graph before it.

    `size` is (height, width) in pixels. `crop` takes the middle of the image in the shape of `size`, shrunk by
    `crop_fraction`; without it the whole image is stretched. A pixel becomes (value * scale - mean) / std.
    """

    size: tuple[int, int] | None = None
    crop: Literal["none", "center"] = "center"
    crop_fraction: float = Field(default=1.0, gt=0, le=1)
    scale: float = 1 / 255
    mean: list[float] = Field(default_factory=lambda: [0.0])
    std: Annotated[list[float], AfterValidator(_refuse_zero)] = Field(default_factory=lambda: [1.0])
    layout: Literal["NCHW", "NHWC"] | None = None
    channels: Literal["rgb", "bgr", "gray"] = "rgb"

    @model_validator(mode="after")
    def _check_lengths(self) -> Preprocess:
        count = 1 if self.channels == "gray" else 3
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, count):
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} values, channels={self.channels!r} takes 1 or {count}"
                )
        return self


class Page(_Table):
    """What the page starts with. `samples` is a folder beside the recipe, `examples` are inputs of the task."""

    input: Literal["draw", "photo"] = "photo"
    samples: str | None = None
    sentences: list[str] = Field(default_factory=list)
    examples: list[dict[str, Any]] = Field(default_factory=list)
    prompts: list[str] = Field(default_factory=list)
    system_prompt: str = ""


class Generation(_Table):
    """How the page samples when its visitor has chosen nothing; a `temperature` of 0 takes the likeliest token."""

    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: float = Field(default=0.95, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    min_p: float = Field(default=0.0, ge=0, le=1)
    repetition_penalty: float = Field(default=1.0, gt=0)
    max_tokens: int = Field(default=512, ge=1)


class Recipe(_Table):
    """A source plus all settings.

    `thresholds` are the largest errors, in the task's metric, and `agreement` the least top-1 agreements of a language
    model, that a variant is shipped with. `folder` is where relative paths start; `path` is the file it was read from.

    A site of several models has `models` in place of `source`: what the page uses each for, and its recipe or source.
    `head` is a safetensors file beside the recipe: a linear layer (`weight`, `bias`) over the source's embeddings.
    `questions` is a JSON file beside the recipe, by which `check` measures how well the page finds what it should.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)
    source: str = ""
    models: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], str] = Field(default_factory=dict)
    title: str = ""
    description: str = ""
    task: Annotated[TaskName | None, _check_choice("task", TASK_NAMES)] = None
    dtypes: list[Annotated[Dtype, _check_choice("dtype", DTYPES)]] | None = Field(default=None, min_length=1)
    license: str | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    labels: list[str] | None = None
    labels_file: str | None = None
    head: str | None = None
    questions: str | None = None
    shapes: dict[str, list[Annotated[int, Field(ge=0)]]] = Field(default_factory=dict)
    thresholds: dict[Annotated[Dtype, _check_choice("dtype", DTYPES)], float] = Field(default_factory=dict)
    agreement: dict[Annotated[Dtype, _check_choice("dtype", DTYPES)], Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict
    )
    preprocess: Preprocess = Field(default_factory=Preprocess)
    page: Page = Field(default_factory=Page)
    generation: Generation = Field(default_factory=Generation)
    folder: SkipJsonSchema[Path] = Field(default_factory=Path.cwd, exclude=True)
    path: SkipJsonSchema[Path | None] = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _check_head(self) -> Recipe:
        if self.head is not None and self.task != "text-classification":
            raise ValueError(f"head is for the task 'text-classification', not {self.task!r}")
        return self

    @model_validator(mode="after")
    def _check_questions(self) -> Recipe:
        if self.questions is not None and (self.task != "rag" or self.page.samples is None):
            raise ValueError("questions is for the task 'rag' with page.samples, the documents that they are asked of")
        return self

    @model_validator(mode="after")
    def _check_models(self) -> Recipe:
        roles = MODEL_ROLES.get(self.task or "")
        if not self.models:
            if roles:
                raise ValueError(f"the task {self.task!r} takes [models] with {_join(roles)}, there are none")
            if not self.source:
                raise ValueError("there is neither a `source` nor [models]")
            return self
        if roles is None:
            raise ValueError(f"[models] is for the tasks {_join(MODEL_ROLES)}, not for {self.task!r}")
        if set(self.models) != set(roles):
            raise ValueError(f"[models] has {_join(self.models)}, the task {self.task!r} takes {_join(roles)}")
        own = [name for name in OF_ONE_MODEL if name in self.model_fields_set]
        if own:
            raise ValueError(f"with [models], {_join(own)} must stand in the recipe of the model concerned")
        return self

    @property
    def shown_title(self) -> str:
        """The title, or the name when no title is given."""
        return self.title or self.name

    @property
    def where(self) -> str:
        """What error messages call this recipe: its file, or its source."""
        return str(self.path) if self.path else self.source or self.name


def validate_recipe(values: Mapping[str, Any], where: str, fix: str = "webgpu-kit build --help") -> Recipe:
    """Validate all settings at once. Raises RecipeError that lists every problem with its key."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        problems = list(_describe_problems(error))
        head = f"{where}: " + (problems[0] if len(problems) == 1 else f"{len(problems)} problems.")
        body = "" if len(problems) == 1 else "".join(f"\n  - {problem}" for problem in problems)
        raise RecipeError(head + body, fix=fix) from error


def _join(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _describe_problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"] if not isinstance(part, int)) or "recipe"
        if problem["type"] == "extra_forbidden":
            yield f"unknown key '{key}'. Allowed: {', '.join(_allowed_keys(problem['loc'][:-1]))}."
        elif problem["type"] == "value_error":
            yield f"{key}: {problem['ctx']['error']}."
        else:
            yield f"{key}: {problem['msg']} (got {problem['input']!r})."


def _allowed_keys(table: tuple[int | str, ...]) -> list[str]:
    tables: dict[str, type[BaseModel]] = {"preprocess": Preprocess, "page": Page, "generation": Generation}
    model = tables.get(str(table[-1]) if table else "", Recipe)
    return [name for name, field in model.model_fields.items() if not field.exclude]


def read_recipe(path: Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read `recipe.toml` at `path`; `overrides` (from the command line) replace its keys. Raises RecipeError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}.", fix="webgpu-kit models") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not valid TOML: {error}.", fix=f"edit {path}") from error
    # These two are ours to set; in a file they are as unknown as any other key.
    values = {f"[{key}]" if key in ("folder", "path") else key: value for key, value in values.items()}
    values.setdefault("name", path.parent.resolve().name)
    values |= {"folder": path.parent.resolve(), "path": path, **(overrides or {})}
    given = " or change " + ", ".join(f"`{key}`" for key in overrides) if overrides else ""
    return validate_recipe(values, str(path), fix=f"edit {path}{given}")


def list_recipes(models: Path) -> list[Recipe]:
    """Every recipe under the folder `models`, by name."""
    return [read_recipe(path) for path in sorted(models.glob(f"*/{RECIPE_FILE}"))]


def find_recipe(source: str, models: Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Resolve SOURCE: a recipe's name, a recipe file or folder, else a source with default settings.

    `overrides` are Recipe fields that the user gave beside it. Raises RecipeError.
    """
    if (models / source / RECIPE_FILE).is_file() and re.fullmatch(r"[\w.-]+", source):
        return read_recipe(models / source / RECIPE_FILE, overrides)
    path = Path(source)
    for candidate in (path, path / RECIPE_FILE):
        if candidate.name.endswith(".toml") and candidate.is_file():
            return read_recipe(candidate, overrides)
    if re.fullmatch(r"[\w-]+", source) and not path.exists():
        names = ", ".join(sorted(entry.parent.name for entry in models.glob(f"*/{RECIPE_FILE}")))
        raise RecipeError(
            f"'{source}' is neither a recipe nor a file. Recipes: {names}.",
            fix="give a recipe, a path (.onnx or a Hugging Face folder), org/name, or a pypi:, npm: or https: source",
        )
    values = {"name": _name_from_source(source), "source": source, **(overrides or {})}
    return validate_recipe(values, source)


def _name_from_source(source: str) -> str:
    stem = re.split(r"[/\\:]", source.rstrip("/\\").split("@")[0])[-1]
    stem = re.sub(r"\.(onnx|gguf)$", "", stem, flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:80] or "model"
