"""Bundle -> Site: the page, the browser runtime and the bundle in one static folder, swapped in whole."""

from __future__ import annotations

import contextlib
import ctypes
import gzip
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Set
from importlib.metadata import version
from pathlib import Path

from webgpu_kit.artifacts import Bundle, Site
from webgpu_kit.errors import BundleError
from webgpu_kit.manifest import Manifest, SiteManifest
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.image_classification import PHOTOS
from webgpu_kit.vendor import PDFJS, find_runtime, templates_folder

MARKER = ".webgpu-kit.json"  # lists the files we made, so that we never delete one that we did not
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self'; img-src 'self' blob: data:; base-uri 'none'"
)
COMPRESSED_SUFFIXES = {".html", ".js", ".mjs", ".css", ".json"}
SMALLEST_COMPRESSED = 1024
RUNTIME_FOLDERS = {PDFJS: ("rag",)}  # folders of the runtime that only some tasks' pages read from
DESCRIPTIONS = {
    "image-classification": "Show it a picture; a model in your browser says what it sees.",
    "feature-extraction": "Type sentences and see how close their meanings are, computed in your browser.",
    "text-classification": "Type sentences, or open a list of them, and see how a model in your browser labels each.",
    "token-classification": "Type a text; a model in your browser marks what it finds in it.",
    "fill-mask": "Leave a word out; a model in your browser says what could stand there.",
    "zero-shot-classification": "Type a text and labels of your own; a model in your browser says how well each fits.",
    "sentence-similarity": "Compare one sentence with others by their meaning, computed in your browser.",
    "text-ranking": "Ask a question and see which of your passages answer it best, computed in your browser.",
    "text-generation": "Chat with a language model that runs in your own browser.",
    "rag": "Find passages in your own files by meaning, and ask about them, all in your browser.",
    "tensor": "Give it numbers, run it, and look at what comes out, all in your browser.",
}


def check_target(out: Path) -> None:
    """Raise BundleError unless a site may be written at `out`: nothing there, an empty folder, or a site of ours."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise BundleError(
            f"{out}: is {'a symbolic link' if out.is_symlink() else 'a file'}, not a folder.",
            fix="give another folder with --out",
        )
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise BundleError(
            f"{out}: holds files that webgpu-kit did not make, and is left as it is.",
            fix="give an empty or new folder with --out",
        )
    parent = next(folder for folder in out.absolute().parents if folder.exists())
    if not os.access(parent, os.W_OK):
        raise BundleError(f"{out}: {parent} is not writable.", fix="give another folder with --out")


@contextlib.contextmanager
def staging_folder(out: Path) -> Iterator[Path]:
    """A new folder beside `out` to build in; it is gone afterwards. Folders of builds that were killed go too."""
    out = out.absolute()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for stale in out.parent.glob(f".{out.name}.building-*"):
            if not _is_alive(int(stale.name.rpartition("-")[2].partition("_")[0] or 0)):
                shutil.rmtree(stale, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.building-{os.getpid()}_", dir=out.parent))
    except OSError as error:
        raise BundleError(
            f"{out}: cannot be written: {error.strerror}.", fix="give another folder with --out"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    if process <= 0 or sys.platform == "win32":
        return process == os.getpid()
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def render_site(
    manifest: Manifest | SiteManifest, bundles: Iterable[Bundle], recipe: Recipe, staging: Path, out: Path
) -> Site:
    """Put page and runtime beside the bundles in `staging`, then swap it in at `out`. Raises BundleError."""
    try:
        _copy_page(manifest, recipe, staging)
        _compress_texts(staging)
        _keep_foreign_files(out, staging)
        _write_marker(staging)
        staging.chmod(0o755)  # mkdtemp's 0700 would keep a web server out
        _swap(staging, out.absolute())
    except OSError as error:
        raise BundleError(
            f"{error.filename or out}: {error.strerror or error}.",
            fix="free some space, or give another folder with --out",
        ) from error
    moved = (Bundle(out / bundle.path.relative_to(staging), bundle.manifest) for bundle in bundles)
    return Site(path=out, manifest=manifest, bundles=tuple(moved))


@contextlib.contextmanager
def revise_site(out: Path) -> Iterator[Path]:
    """A copy of the site at `out` to change things in; it takes the site's place when the block ends well.

    Where the disk can, files are one with those of the site as it is: change them with `replace_file` only.
    Raises: BundleError; the site then is as before.
    """
    out = out.resolve()
    with staging_folder(out) as staging:
        try:
            shutil.copytree(out, staging, copy_function=_share_file, dirs_exist_ok=True)
            foreign = _list_files(staging) - _read_marker(out) - {MARKER}
            yield staging
            (staging / MARKER).unlink(missing_ok=True)
            _compress_texts(staging)
            _write_marker(staging, foreign)
            staging.chmod(0o755)
            _swap(staging, out)
        except OSError as error:
            raise BundleError(
                f"{error.filename or out}: {error.strerror or error}.", fix="free some space, then try again"
            ) from error


def replace_file(path: Path, text: str) -> None:
    """Write a file of a site in the place of the one that is there, without its compressed siblings."""
    for old in (path, path.with_name(path.name + ".gz"), path.with_name(path.name + ".br")):
        old.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def _share_file(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _copy_page(manifest: Manifest | SiteManifest, recipe: Recipe, staging: Path) -> None:
    templates, task = templates_folder(), manifest.task
    shutil.copytree(templates / "pages" / task, staging, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.jinja"))
    shutil.copytree(templates / "kit", staging / "kit")
    left_out = [folder for folder, tasks in RUNTIME_FOLDERS.items() if task not in tasks]
    shutil.copytree(find_runtime(), staging / "runtime", ignore=shutil.ignore_patterns(*left_out))
    for sample in manifest.settings["page"].get("samples", []):
        folder = recipe.folder / recipe.page.samples if recipe.page.samples else PHOTOS
        (staging / "samples").mkdir(exist_ok=True)
        shutil.copyfile(folder / Path(sample["path"]).name, staging / sample["path"])
    (staging / "index.html").write_text(_render_page(manifest, recipe, templates / "pages" / task), encoding="utf-8")


def _render_page(manifest: Manifest | SiteManifest, recipe: Recipe, folder: Path) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    settings = {
        "manifest": "./model/manifest.json",
        "title": manifest.title,
        "task": manifest.task,
        "name": manifest.name,
    }
    return environment.get_template("index.html.jinja").render(
        title=manifest.title,
        description=recipe.description or DESCRIPTIONS[manifest.task],
        settings=settings | manifest.settings["page"],
        csp=CONTENT_SECURITY_POLICY,
        lang="en",
    )


def _compress_texts(staging: Path) -> None:
    for path in sorted(staging.rglob("*")):
        if path.suffix in COMPRESSED_SUFFIXES and path.stat().st_size >= SMALLEST_COMPRESSED:
            packed = path.with_name(path.name + ".gz")
            if not packed.exists():
                packed.write_bytes(gzip.compress(path.read_bytes(), compresslevel=9, mtime=0))


def _read_marker(site: Path) -> set[str]:
    try:
        return set(json.loads((site / MARKER).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError):
        return set()


def _keep_foreign_files(out: Path, staging: Path) -> None:
    """Carry over what others put into the old site (CNAME, a favicon); it is never deleted, nor listed as ours."""
    ours = _read_marker(out) | {MARKER}
    for path in sorted(out.rglob("*")) if out.is_dir() else []:
        relative = path.relative_to(out).as_posix()
        if path.is_file() and relative not in ours and not (staging / relative).exists():
            (staging / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, staging / relative)


def _list_files(site: Path) -> set[str]:
    return {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}


def _write_marker(staging: Path, foreign: Set[str] = frozenset()) -> None:
    files = sorted(_list_files(staging) - foreign)
    text = json.dumps({"made_by": f"webgpu-kit {version('webgpu-kit')}", "files": files}, indent=1)
    (staging / MARKER).write_text(text, encoding="utf-8")


def _swap(new: Path, target: Path) -> None:
    """Put `new` in the place of `target` in one step; what was there is left at `new` for the caller to remove."""
    if not target.exists():
        new.rename(target)
    elif not _exchange(new, target):
        old = new.with_name(new.name + ".old")
        target.rename(old)
        new.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two folders atomically where the system can (Linux, macOS). False where it cannot."""
    name = {"linux": "renameat2", "darwin": "renameatx_np"}.get(sys.platform)
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if call is None:
        return False
    here = {"linux": -100, "darwin": -2}[sys.platform]  # AT_FDCWD
    return bool(call(here, os.fsencode(first), here, os.fsencode(second), 2) == 0)  # 2: RENAME_EXCHANGE, RENAME_SWAP
