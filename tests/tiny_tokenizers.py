"""Tokenizers of every kind, trained or put together here: each component that the page knows is in one of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from tiny_encoders import TEXTS, TRAINERS
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
ADDED = (
    AddedToken("<left>", lstrip=True, normalized=False, special=True),
    AddedToken("<right>", rstrip=True, normalized=False),
    AddedToken("<both>", lstrip=True, rstrip=True, normalized=False, special=True),
    AddedToken("word", single_word=True, normalized=False),
    AddedToken("Wörter", single_word=True, normalized=True),
    AddedToken("<left><left>", normalized=False),
    AddedToken("two words", normalized=True, lstrip=True),
    AddedToken("  ", normalized=False),
    AddedToken("é", normalized=False),
)


@cache
def read_charsmap(rule: str) -> bytes:
    """SentencePiece's own table of characters: `nmt_nfkc` is that of T5 and XLM-RoBERTa."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    stream = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS[:8] * 4),
        model_writer=stream,
        vocab_size=60,
        hard_vocab_limit=False,
        normalization_rule_name=rule,
        minloglevel=2,
    )
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(stream.getvalue())
    return bytes(model.normalizer_spec.precompiled_charsmap)


def train_sentencepiece(rule: str = "nmt_nfkc", **fallback: Any) -> Tokenizer:
    """Unigram as XLM-RoBERTa and T5 have it, table of characters and all."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(read_charsmap(rule)),
            normalizers.Strip(left=False, right=True),
            normalizers.Replace(Regex(" {2,}"), "▁"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        TEXTS[:20], trainers.UnigramTrainer(vocab_size=400, special_tokens=specials, unk_token="<unk>")
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=True)])
    return tokenizer


def make_word_unigram() -> Tokenizer:
    """Unigram as older files of XLM-RoBERTa have it: cut at white space first."""
    tokenizer = train_sentencepiece()
    cuts = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(cuts)
    return tokenizer


def make_byte_unigram() -> Tokenizer:
    """Unigram with a token for each byte, and no piece for the space alone."""
    trained = json.loads(train_sentencepiece("nfkc_cf").to_str())
    trained["model"]["vocab"] += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
    trained["model"]["byte_fallback"] = True
    trained["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
        ],
    }
    steps: list[dict[str, Any]] = [{"type": "ByteFallback"}, {"type": "Metaspace"}]
    steps[1] |= {"replacement": "▁", "prepend_scheme": "first", "split": False}
    trained["decoder"] = {"type": "Sequence", "decoders": steps}
    for token in trained["added_tokens"]:
        if token["content"] == "<mask>":
            token["id"] = len(trained["model"]["vocab"])
    return Tokenizer.from_str(json.dumps(trained))


def train_split_byte_level() -> Tokenizer:
    """Byte-level BPE as Llama 3's and Qwen's, with ids for whole words."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA_3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet))
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False)])
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(list(ADDED))
    return tokenizer


def train_digit_byte_level() -> Tokenizer:
    """Byte-level BPE as SmolLM2's: every digit alone, a space before the text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet))
    return tokenizer


def train_metaspace_bpe() -> Tokenizer:
    """SentencePiece's BPE as newer conversions of Llama and Mistral write it, with added tokens of every kind."""
    tokenizer = Tokenizer(models.BPE(fuse_unk=False, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>"], limit_alphabet=60)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_tokens(list(ADDED))
    return tokenizer


def train_word_end_bpe() -> Tokenizer:
    """BPE as CLIP's and GPT's: the end of a word has a suffix."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFD(),
            normalizers.StripAccents(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True)]
    )
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<unk>"], end_of_word_suffix="</w>", limit_alphabet=60
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def train_cased_wordpiece() -> Tokenizer:
    """WordPiece as BERT's, cased, with added tokens of every kind."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, handle_chinese_chars=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    tokenizer.train_from_iterator(
        TEXTS, trainers.WordPieceTrainer(vocab_size=500, special_tokens=["[UNK]", "[CLS]", "[SEP]"])
    )
    tokenizer.add_tokens(list(ADDED))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return tokenizer


def make_word_level(normalizer: Any, *steps: Any) -> Tokenizer:
    """Words are told apart by their ids: those of TEXTS are known."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(list(steps))
    tokenizer.train_from_iterator(TEXTS, trainers.WordLevelTrainer(vocab_size=3000, special_tokens=["<unk>", "x"]))
    return tokenizer


def make_plain_words() -> Tokenizer:
    """WordLevel over NFKD without accents."""
    normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Strip()])
    words = make_word_level(normalizer, pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=False))
    words.decoder = decoders.CTC(pad_token="<unk>", word_delimiter_token="x")
    return words


def make_byte_words() -> Tokenizer:
    """WordLevel over the alphabet for bytes."""
    normalizer = normalizers.Sequence([normalizers.Prepend(">>"), normalizers.ByteLevel()])
    return make_word_level(normalizer, pre_tokenizers.Split(Regex("[aeiou]"), "isolated"))


def make_split_words() -> Tokenizer:
    """WordLevel with every way to cut."""
    return make_word_level(
        None,
        pre_tokenizers.CharDelimiterSplit(","),
        pre_tokenizers.Split(" ", "merged_with_previous"),
        pre_tokenizers.Split(Regex(r"[aeiou]"), "merged_with_next"),
        pre_tokenizers.Split(Regex(r"\d|\.$"), "contiguous"),
        pre_tokenizers.Split("tt", "isolated"),
        pre_tokenizers.Punctuation("merged_with_previous"),
        pre_tokenizers.FixedLength(7),
    )


KINDS: dict[str, Callable[[], Tokenizer]] = {
    **TRAINERS,
    "sentencepiece": train_sentencepiece,
    "sentencepiece-words": make_word_unigram,
    "sentencepiece-bytes": make_byte_unigram,
    "byte-level-split": train_split_byte_level,
    "byte-level-digits": train_digit_byte_level,
    "metaspace-bpe": train_metaspace_bpe,
    "word-end-bpe": train_word_end_bpe,
    "wordpiece-cased": train_cased_wordpiece,
    "words": make_plain_words,
    "byte-words": make_byte_words,
    "split-words": make_split_words,
}
