"""Documents -> an index in a built search page: read, split, embed, publish. The page opens it as it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from webgpu_kit.artifacts import Bundle, Progress, Site
from webgpu_kit.errors import DocumentError
from webgpu_kit.index.documents import read_files
from webgpu_kit.index.encoder import Encoder, open_encoder
from webgpu_kit.index.index_file import SplitDocument, encode_index, split_document
from webgpu_kit.index.publish import publish_index
from webgpu_kit.manifest import File, IndexEntry, IndexModel, SiteManifest
from webgpu_kit.site_file import read_site

TASK, ROLE = "rag", "embed"


@dataclass(frozen=True)
class IndexMade:
    """What `index_documents` gave: the site, its new entry, and the files that were not taken, with the reason."""

    site: Path
    entry: IndexEntry
    skipped: dict[str, str]


def index_documents(docs: Path | str, site: Path | str, *, name: str = "", progress: Progress) -> IndexMade:
    """Index a file, or a folder of text, Markdown, HTML and PDF files, with the model of the search page in `site`.

    The index is called `name`, by default as the folder is. Raises: DocumentError or BundleError; the site then is as
    before.
    """
    docs, built = Path(docs), read_site(site)
    manifest, bundle = _find_model(built)
    model = _describe_model(bundle)
    _check_others(built, manifest, model)
    name = name or docs.resolve().stem
    skipped: dict[str, str] = {}
    with open_encoder(bundle) as encoder:
        documents = _split_all(docs, encoder, skipped, progress)
        texts = [text for each in documents for text in each.list_texts()]
        vectors = encoder.embed(texts, _tell_tenths(len(texts), progress))
    content = encode_index(name, model, documents, vectors)
    progress("writing the site")
    entry = IndexEntry(
        name=name,
        documents=len(documents),
        passages=len(texts),
        model=model,
        file=File(name="index.wgkindex", bytes=0, sha256="", chunks=[]),
    )
    return IndexMade(built.path, publish_index(built, manifest, entry, content), skipped)


def _tell_tenths(total: int, progress: Progress) -> Callable[[int], None]:
    """Progress ten times in all: where there is no terminal, every word is a line."""
    told = -1

    def tell(done: int) -> None:
        nonlocal told
        if done * 10 // total > told:
            told = done * 10 // total
            progress(f"embedding: {done:,} of {total:,} passages")

    return tell


def _find_model(site: Site) -> tuple[SiteManifest, Bundle]:
    manifest = site.manifest
    if isinstance(manifest, SiteManifest) and manifest.task == TASK:
        names = {entry.name for entry in manifest.bundles if entry.role == ROLE}
        for bundle in site.bundles:
            if bundle.manifest.name in names:
                return manifest, bundle
    raise DocumentError(
        f"{site.path}: is a page for {manifest.task}, which has no search.",
        fix=f"webgpu-kit build {TASK} --out {site.path}, or name a search page with --into",
    )


def _describe_model(bundle: Bundle) -> IndexModel:
    manifest = bundle.manifest
    return IndexModel(
        name=manifest.name,
        sha256=manifest.source.sha256,
        variant=manifest.variants[0].name,
        dimensions=manifest.settings["dimensions"],
    )


def _check_others(site: Site, manifest: SiteManifest, model: IndexModel) -> None:
    """Raise DocumentError if the site has an index that its own model did not make."""
    for other in manifest.indexes:
        if other.model.sha256 != model.sha256:
            raise DocumentError(
                f"{site.path}: its index {other.name!r} was made with {other.model.name} ({other.model.sha256[:8]}), "
                f"the page has {model.name} ({model.sha256[:8]}).",
                fix="build the site again, and index each folder",
            )


def _split_all(docs: Path, encoder: Encoder, skipped: dict[str, str], progress: Progress) -> list[SplitDocument]:
    documents = [split_document(each, encoder.count_tokens) for each in read_files(docs, skipped, progress)]
    if not documents:
        reasons = "".join(f"\n  {name} {reason}." for name, reason in skipped.items())
        raise DocumentError(f"{docs}: none of its documents can be read.{reasons}", fix="see the reasons above")
    return documents
