"""The walk of a model, in order. The only file that knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webgpu_kit.artifacts import Bundle, Graph, Progress, Site, Source, Variant
from webgpu_kit.bundle import CHUNKS, write_bundle, write_site_manifest
from webgpu_kit.errors import QuantizeError, RecipeError
from webgpu_kit.export import decide_task, export_graph
from webgpu_kit.export.questions import load_original, write_questions
from webgpu_kit.graph import prepare_graph
from webgpu_kit.manifest import Dtype, Parity
from webgpu_kit.parallel import map_variants
from webgpu_kit.quantize import quantize_graph
from webgpu_kit.quantize.exact import keep_packed
from webgpu_kit.quantize.search import Bench
from webgpu_kit.questions import read_question_set
from webgpu_kit.recipe import EMBED_ROLE, MODEL_ROLES, Recipe, find_recipe, validate_recipe
from webgpu_kit.site import check_target, render_site, staging_folder
from webgpu_kit.source import fetch_source
from webgpu_kit.tasks import PAGE_SETTINGS, TASKS
from webgpu_kit.vendor import find_runtime, models_folder


@dataclass(frozen=True)
class Build:
    """What a build gave: the site, and the variants that were made but not shipped, with the reason."""

    site: Site
    rejected: dict[str, str]


def _stay_silent(line: str) -> None:
    pass


def build(source: str | Any, out: str | Path = "site", *, progress: Progress = _stay_silent, **settings: Any) -> Site:
    """Build a site from SOURCE: a recipe's name, a path, a URI, or `(torch.nn.Module, {input name: tensor})`.

    `settings` are Recipe fields that replace the recipe's. Raises a KitError; the folder `out` then is as before.
    """
    if isinstance(source, str | Path):
        recipe = find_recipe(str(source), models_folder(), settings)
        return build_recipe(recipe, Path(out), progress).site
    module, example = source
    name = type(module).__name__
    values = {"name": name.lower(), "title": name, "source": f"module:{name}", **settings}
    fetched = Source(uri=f"module:{name}", revision="", sha256="", kind="module", path=Path(), module=(module, example))
    return build_recipe(validate_recipe(values, name), Path(out), progress, fetched).site


def build_recipe(recipe: Recipe, out: Path, progress: Progress, source: Source | None = None) -> Build:
    """The walk itself. Everything is checked before the first byte is written; `out` changes in the last step."""
    check_target(out)
    find_runtime()
    if recipe.models:
        return _build_several(recipe, out, progress)
    model = _make_model(recipe, progress, source)
    with staging_folder(out) as staging:
        bundle = model.write(staging / "model", CHUNKS)
        progress("writing the site")
        site = render_site(bundle.manifest, [bundle], recipe, staging, out)
    return Build(site=site, rejected=model.rejected)


@dataclass(frozen=True)
class _Model:
    """A model with its variants, ready to be written as a bundle."""

    source: Source
    write: Callable[[Path, str], Bundle]
    rejected: dict[str, str]


def _make_model(recipe: Recipe, progress: Progress, source: Source | None = None, task: str = "") -> _Model:
    """Everything up to the bundle. With `task`, a model for anything else is refused."""
    if source is None:
        progress(f"fetching {recipe.source}")
        source = fetch_source(recipe.source, base=recipe.folder, sha256=recipe.sha256, progress=progress)
    name = decide_task(source, recipe).name
    if task and name != task:
        raise RecipeError(f"{recipe.where}: is a model for {name}, {task} is needed.", fix="name another in [models]")
    graph = export_graph(source, recipe, progress)
    graph = prepare_graph(graph, name, progress)
    variants, rejected = _make_variants(graph, recipe, name, progress)

    def write(folder: Path, chunks: str) -> Bundle:
        progress("writing the bundle")
        return write_bundle(source, graph, variants, recipe, name, folder, chunks)

    return _Model(source, write, rejected)


def _build_several(recipe: Recipe, out: Path, progress: Progress) -> Build:
    """A site of several bundles, each in a folder of its own, with their chunks in one that they share."""
    parts = _find_parts(recipe)
    asked = read_question_set(recipe)
    questions = None
    bundles: dict[str, Bundle] = {}
    rejected: dict[str, str] = {}
    with staging_folder(out) as staging:
        for role, part in parts.items():
            progress(f"{part.name}, to {role} with")
            model = _make_model(part, progress, task=MODEL_ROLES[recipe.task or ""][role])
            bundles[role] = model.write(staging / "model" / part.name, f"../{CHUNKS}")
            rejected |= {f"{part.name} {dtype}": reason for dtype, reason in model.rejected.items()}
            if asked and role == EMBED_ROLE:
                original = load_original(model.source, part, bundles[role])
                questions = write_questions(asked, recipe, original, staging / "model", progress)
        progress("writing the site")
        settings = {"page": PAGE_SETTINGS[recipe.task or ""](recipe, bundles)}
        manifest = write_site_manifest(bundles, recipe, settings, staging / "model", questions)
        site = render_site(manifest, bundles.values(), recipe, staging, out)
    return Build(site=site, rejected=rejected)


def _find_parts(recipe: Recipe) -> dict[str, Recipe]:
    """The recipe of each model, by role, all found before any work starts. Raises: RecipeError."""
    parts = {}
    for role, named in recipe.models.items():
        beside = recipe.folder / named
        parts[role] = find_recipe(str(beside) if beside.exists() else named, models_folder())
    names = [part.name for part in parts.values()]
    if len(set(names)) < len(names):
        raise RecipeError(f"{recipe.where}: two of [models] are named {names[0]!r}.", fix="name one of them otherwise")
    return parts


def _make_variants(graph: Graph, recipe: Recipe, task: str, progress: Progress) -> tuple[list[Variant], dict[str, str]]:
    own: tuple[Dtype, ...] = (graph.packed_dtype,) if graph.packed_dtype else ()
    dtypes: tuple[Dtype, ...] = tuple(dict.fromkeys(recipe.dtypes or own or TASKS[task].dtypes))

    bench = Bench(graph, task, progress)

    def make(dtype: Dtype) -> Variant | str:
        progress(f"making the variant {dtype}")
        threshold, agreement = recipe.thresholds.get(dtype), recipe.agreement.get(dtype)
        try:
            if dtype == graph.packed_dtype:
                variant = keep_packed(graph, task, threshold, progress)
            else:
                variant = quantize_graph(graph, dtype, task, threshold, agreement=agreement, bench=bench)
        except QuantizeError as error:
            return error.message
        misses = list(_describe_misses(variant.parity))
        best = f" (the best of what was tried: {variant.parity.method})" if variant.parity.method else ""
        return variant if not misses else "; ".join(misses) + best

    made = map_variants(make, dtypes, graph)
    variants = [variant for variant in made if isinstance(variant, Variant)]
    rejected: dict[str, str] = {
        dtype: reason for dtype, reason in zip(dtypes, made, strict=True) if isinstance(reason, str)
    }
    if not variants:
        reasons = "".join(f"\n  {dtype}: {reason}" for dtype, reason in rejected.items())
        raise QuantizeError(
            f"{recipe.where}: no variant can be shipped.{reasons}",
            fix="add fp32 to --dtypes, or set [thresholds] or, for top-1 agreement, [agreement] in a recipe",
        )
    return variants, rejected


def _describe_misses(parity: Parity) -> Iterator[str]:
    """What a variant misses, and by how much: on the golden, then on the text where there is one."""
    measured = [(parity.value, parity.threshold, "")]
    details = parity.details
    if details:
        measured.append((details["kl_divergence"], details["largest_kl_divergence"], " on the text"))
    for value, threshold, where in measured:
        if not value <= threshold:
            times = value / threshold if threshold else float("inf")
            yield f"{parity.metric} {value:.3g}{where} is {times:.1f} times its threshold {threshold:.3g}"
    if details and not details["top1_agreement"] >= details["least_top1_agreement"]:
        least = details["least_top1_agreement"]
        yield f"top-1 agreement {details['top1_agreement']:.3f} on the text is under its threshold {least:.3g}"
