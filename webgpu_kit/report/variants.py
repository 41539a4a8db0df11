"""How each variant of a site was made, and how near to the original it was then: what the build's own table says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict, Field

from webgpu_kit.manifest import Dtype, Manifest

TEXT_FIGURES = ("KL on text", "top-1", "perplexity")


class VariantLine(BaseModel):
    """One variant, from its manifest. Sizes in bytes; `value` is in the unit of `metric`, smaller is better."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(default="", description="which of the site's bundles; empty where there is only one")
    name: str
    dtype: Dtype
    download_bytes: int
    metric: str
    value: float
    threshold: float
    method: str = Field(default="", description="how its weights were rounded; empty where none was")
    details: dict[str, float] = Field(default_factory=dict, description="of a model that talks: figures on a text")


def list_variants(manifests: Iterable[Manifest]) -> list[VariantLine]:
    """Every variant of a site's bundles, best first in each."""
    known = list(manifests)
    return [
        VariantLine(
            model=manifest.name if len(known) > 1 else "",
            name=variant.name,
            dtype=variant.dtype,
            download_bytes=variant.download_bytes,
            **variant.parity.model_dump(include={"metric", "value", "threshold", "method", "details"}),
        )
        for manifest in known
        for variant in manifest.variants
    ]


def describe_text(details: Mapping[str, float]) -> tuple[str, ...]:
    """The three figures on a text, in the order of `TEXT_FIGURES`, with what each may be."""
    if not details:
        return ("-",) * len(TEXT_FIGURES)
    return (
        f"{details['kl_divergence']:.2g} of {details['largest_kl_divergence']:g}",
        f"{details['top1_agreement']:.1%} (at least {details['least_top1_agreement']:.0%})",
        f"x{details['perplexity_ratio']:.3f}",
    )
