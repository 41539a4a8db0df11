"""An index -> a built site: beside the models' chunks, listed in `model/manifest.json`, swapped in whole."""

from __future__ import annotations

from webgpu_kit.artifacts import Site
from webgpu_kit.bundle import write_file
from webgpu_kit.manifest import MANIFEST_PATH, IndexEntry, SiteManifest
from webgpu_kit.site import replace_file, revise_site


def publish_index(site: Site, manifest: SiteManifest, entry: IndexEntry, content: bytes) -> IndexEntry:
    """Put an index into the site, in the place of one of the same name; the entry then has the file's chunks.

    Raises: BundleError; the site then is as before.
    """
    others = [each for each in manifest.indexes if each.name != entry.name]
    with revise_site(site.path) as staging:
        model = (staging / MANIFEST_PATH).parent
        entry = entry.model_copy(update={"file": write_file(entry.file.name, content, model)})
        changed = manifest.model_copy(update={"indexes": [*others, entry]})
        for old in _list_chunks(manifest) - _list_chunks(changed):
            (model / old).unlink(missing_ok=True)
        replace_file(staging / MANIFEST_PATH, changed.model_dump_json(by_alias=True, indent=1))
    return entry


def _list_chunks(manifest: SiteManifest) -> set[str]:
    return {chunk.path for each in manifest.indexes for chunk in each.file.chunks}
