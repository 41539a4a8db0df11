"""The command line. The only file that prints errors and picks exit codes: 0 good, 1 failed, 2 wrong usage.

Results go to stdout, progress to stderr. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from webgpu_kit.errors import KitError, RecipeError

if TYPE_CHECKING:
    from webgpu_kit.artifacts import Progress
    from webgpu_kit.report import BenchReport, CheckReport, DoctorReport

_Command = TypeVar("_Command", bound=Callable[..., Any])

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else."
)
_browser_options = [
    click.argument("site", type=click.Path(path_type=Path), default="site"),
    click.option(
        "--backend",
        "backends",
        multiple=True,
        type=click.Choice(["webgpu", "wasm"]),
        help="Only this backend; may be repeated.",
    ),
    click.option("--variant", "variants", multiple=True, metavar="V", help="Only this variant; may be repeated."),
    click.option(
        "--browser",
        type=click.Choice(["chromium", "chrome", "msedge", "firefox"]),
        help="Which browser; by default the first found of Chrome, Edge and Chromium.",
    ),
    click.option("--headed", is_flag=True, help="Show the browser."),
]


def browser_options(command: _Command) -> _Command:
    """The site and what is asked of it, for the commands that drive a browser."""
    for option in reversed(_browser_options):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="webgpu-kit", prog_name="webgpu-kit")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def commands(debug: bool) -> None:
    """Turn a model into a static web page that runs it in the visitor's own browser, and prove that page right."""


def _parse_shape(text: str) -> tuple[str, list[int]]:
    name, _, dimensions = text.rpartition("=")
    try:
        return name, [int(part) for part in dimensions.split(",")] if dimensions else []
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not NAME=1,3,224,224.", param_hint="--shape") from error


@commands.command()
@click.argument("source")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="site",
    show_default=True,
    help="The folder to write; an old site there stays until the new one is whole.",
)
@click.option(
    "--task",
    help="What the model does: a Hugging Face pipeline task, such as text-classification, or tensor. "
    "Default: found out from the source.",
)
@click.option(
    "--dtypes", help="The variants to make, best first: any of fp32,fp16,q8,q4,q4f16. Default: the task's own."
)
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="NAME=1,3,224,224",
    help="The shape of an input whose dimensions are not fixed; may be repeated.",
)
@click.option(
    "--labels",
    "labels_file",
    type=click.Path(path_type=Path),
    help="A text file with one label a line, or a JSON list.",
)
@click.option("--title", help="The page's title.")
@json_option
def build(source: str, out: Path, shapes: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Build a site from SOURCE.

    SOURCE is a recipe's name (see `webgpu-kit models`), a path (.onnx file, Hugging Face folder or recipe.toml), a
    Hugging Face id (org/name or hf:org/name@revision), pypi:package==version/path, npm:package@version/path or an
    https: URL.
    """
    from webgpu_kit import tables
    from webgpu_kit.pipeline import build_recipe
    from webgpu_kit.recipe import find_recipe
    from webgpu_kit.vendor import models_folder

    settings = {key: value for key, value in given.items() if value is not None}
    if "dtypes" in settings:
        settings["dtypes"] = [part.strip() for part in settings["dtypes"].split(",") if part.strip()]
    if "labels_file" in settings:
        settings["labels_file"] = str(settings["labels_file"].absolute())
    if shapes:
        settings["shapes"] = dict(_parse_shape(text) for text in shapes)
    with _progress() as progress:
        made = build_recipe(find_recipe(source, models_folder(), settings), out, progress)
    if as_json:
        _print_json(
            {
                "site": str(made.site.path),
                "rejected": made.rejected,
                "manifest": made.site.manifest.model_dump(mode="json", by_alias=True),
            }
        )
    else:
        tables.print_build(made)


@commands.command()
@click.argument("docs", type=click.Path(path_type=Path))
@click.option(
    "--into",
    "site",
    type=click.Path(path_type=Path),
    default="site",
    show_default=True,
    help="The search page (`webgpu-kit build rag`); it stays as it is until the new one is whole.",
)
@click.option(
    "--name", default="", metavar="NAME", help="What the page calls the collection. Default: as DOCS is called."
)
@json_option
def index(docs: Path, site: Path, name: str, as_json: bool) -> None:
    """Index DOCS ahead, with the model of the search page in folder SITE: its visitors need not.

    DOCS is a file, or a folder of text, Markdown, HTML and PDF files, those in its folders included. A collection of
    the same name is replaced.
    """
    from webgpu_kit import tables
    from webgpu_kit.index import index_documents

    with _progress() as progress:
        made = index_documents(docs, site, name=name, progress=progress)
    if as_json:
        _print_json({"site": str(made.site), "index": made.entry.model_dump(mode="json"), "skipped": made.skipped})
    else:
        tables.print_index(made)


@commands.command()
@click.argument("site", type=click.Path(path_type=Path), default="site")
@click.option("--port", type=click.IntRange(0, 65535), default=5173, show_default=True, help="0 takes any free port.")
@click.option("--host", default="localhost", show_default=True, help="The address to listen on.")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in the default browser.")
@click.option("--no-reload", is_flag=True, help="Do not reload the page when the site is built again.")
def serve(site: Path, port: int, host: str, open_browser: bool, no_reload: bool) -> None:
    """Serve the site in folder SITE on http://localhost:5173, with the headers that it needs."""
    from webgpu_kit.serve import serve_site

    def announce(url: str) -> None:
        click.echo(url)
        click.echo(
            "Ctrl-C stops it." + ("" if no_reload else " The page reloads when the site is built again."), err=True
        )
        if open_browser:
            click.launch(url)

    serve_site(site, host=host, port=port, reload=not no_reload, on_ready=announce)


@commands.command()
@browser_options
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path),
    default="report",
    show_default=True,
    help="Where to write report.json, report.html and junit.xml.",
)
@click.option("--strict", is_flag=True, help="What could not be verified on this machine counts as failed.")
@json_option
def check(site: Path, folder: Path, as_json: bool, **options: Any) -> None:
    """Prove in a real browser that the page in folder SITE gives the original model's answers."""
    from webgpu_kit import tables
    from webgpu_kit.check import check_site
    from webgpu_kit.report.files import check_report_folder, write_report

    check_report_folder(folder)
    with _progress() as progress:
        report = check_site(site, progress=progress, **options)
    write_report(report, folder)
    _finish(report, as_json, lambda: tables.print_check(report, folder))


@commands.command()
@browser_options
@json_option
def bench(site: Path, as_json: bool, **options: Any) -> None:
    """Measure loading, the first answer and steady speed of the site in folder SITE, beside native onnxruntime."""
    from webgpu_kit import tables
    from webgpu_kit.bench import bench_site

    with _progress() as progress:
        report = bench_site(site, progress=progress, **options)
    _finish(report, as_json, lambda: tables.print_bench(report))


@commands.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what this machine has and lacks, and the command that mends each lack."""
    from webgpu_kit import tables
    from webgpu_kit.doctor import inspect_machine

    with _progress() as progress:
        progress("looking at this machine")
        report = inspect_machine()
    _finish(report, as_json, lambda: tables.print_doctor(report))


@commands.command()
@json_option
def models(as_json: bool) -> None:
    """List the recipes that are built in."""
    from webgpu_kit import tables
    from webgpu_kit.recipe import list_recipes
    from webgpu_kit.vendor import models_folder

    recipes = list_recipes(models_folder())
    if as_json:
        _print_json(
            [
                recipe.model_dump(
                    mode="json", include={"name", "title", "task", "source", "models", "license", "description"}
                )
                for recipe in recipes
            ]
        )
    else:
        tables.print_models(recipes)


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Progress on stderr: a spinner on a terminal, else one line for each thing begun."""
    if not sys.stderr.isatty():
        yield lambda line: click.echo(line, err=True)
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda line: status.update(line.replace("[", r"\["))


def _finish(report: CheckReport | BenchReport | DoctorReport, as_json: bool, show: Callable[[], None]) -> NoReturn:
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        show()
    raise SystemExit(report.exit_code)


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def main() -> None:
    """The entry point: run a command, and turn every error that we know into one clear message."""
    arguments = sys.argv[1:]
    debug, as_json = "--debug" in arguments, "--json" in arguments
    # --debug is taken anywhere on the line, because it is added to a command that has just failed.
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        commands(arguments, prog_name="webgpu-kit", standalone_mode=False)
    except KitError as error:
        if debug:
            raise
        if as_json:
            _print_json({"error": {"type": type(error).__name__, "message": error.message, "fix": error.fix}})
        click.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(2 if isinstance(error, RecipeError) else 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped; nothing was changed.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
