"""Reading a built site: which bundles it has."""

from __future__ import annotations

from pathlib import Path

from webgpu_kit.artifacts import Bundle, Site
from webgpu_kit.manifest import MANIFEST_PATH, read_manifest, read_site_manifest


def read_site(site: Site | Path | str) -> Site:
    """The site in a folder, given as a path or as `build` returns it. Raises: BundleError if it is none."""
    folder = site.path if isinstance(site, Site) else Path(site)
    model = (folder / MANIFEST_PATH).parent
    whole = read_site_manifest(folder)
    if whole is None:
        manifest = read_manifest(folder)
        return Site(folder, manifest, (Bundle(model, manifest),))
    bundles = []
    for entry in whole.bundles:
        path = model / entry.manifest
        bundles.append(Bundle(path.parent, read_manifest(folder, path.relative_to(folder).as_posix())))
    return Site(folder, whole, tuple(bundles))


def ask_for(site: Site, bundle: Bundle) -> str:
    """What the page's address says to load only `bundle`: empty where there is no other."""
    return f"model={bundle.manifest.name}" if len(site.bundles) > 1 else ""
