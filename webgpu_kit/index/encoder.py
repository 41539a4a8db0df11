"""The embedding model of a built site, on this machine: the page's own graph and tokenizer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from webgpu_kit.artifacts import Array, Bundle
from webgpu_kit.errors import DocumentError
from webgpu_kit.site_graph import open_session, read_asset

BATCH_TOKENS = 4096
FIX = "pip install 'webgpu-kit[index]'"


class Encoder:
    """Counts tokens and embeds texts as the page does."""

    def __init__(self, bundle: Bundle, folder: Path) -> None:
        from tokenizers import Tokenizer

        settings = bundle.manifest.settings
        self.variant = bundle.manifest.variants[0]
        self.dimensions = int(settings["dimensions"])
        self._counter = Tokenizer.from_buffer(read_asset(bundle, "tokenizer.json"))
        self._cutter = Tokenizer.from_buffer(read_asset(bundle, "tokenizer.json"))
        self._cutter.enable_truncation(int(settings["max_length"]))
        self._session = open_session(bundle, self.variant, folder, os.cpu_count() or 1)

    def count_tokens(self, texts: list[str]) -> list[int]:
        """How many tokens each text has, without those that the model puts around it."""
        return [len(each.ids) for each in self._counter.encode_batch(texts, add_special_tokens=False)]

    def embed(self, texts: list[str], on_progress: Callable[[int], None] = lambda done: None) -> Array:
        """Normalized embeddings, float32 (texts, dimensions); what is longer than the model reads is cut.

        Texts of the same number of tokens go together, so that padding plays no part. `on_progress` gets how many are
        done.
        """
        ids = [each.ids for each in self._cutter.encode_batch(texts)]
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        done = 0
        for length, group in groupby(order, key=lambda place: len(ids[place])):
            places = list(group)
            rows = max(1, BATCH_TOKENS // max(1, length))
            for start in range(0, len(places), rows):
                batch = places[start : start + rows]
                vectors[batch] = self._run(np.array([ids[place] for place in batch], dtype=np.int64))
                done += len(batch)
                on_progress(done)
        return vectors

    def close(self) -> None:
        """Let go of the weights: Windows does not delete a mapped file."""
        del self._session

    def _run(self, ids: Array) -> Array:
        (embedding,) = self._session.run(["embedding"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        return np.asarray(embedding, dtype=np.float32)


@contextmanager
def open_encoder(bundle: Bundle) -> Iterator[Encoder]:
    """The model in `bundle`, in the variant that pages prefer. Raises: DocumentError without the package tokenizers."""
    with TemporaryDirectory(prefix="webgpu-kit-") as folder:
        try:
            encoder = Encoder(bundle, Path(folder))
        except ImportError as error:
            raise DocumentError(f"embedding texts needs the package {error.name}.", fix=FIX) from error
        try:
            yield encoder
        finally:
            encoder.close()
