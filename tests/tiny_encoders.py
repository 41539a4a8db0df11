"""Encoders of a few thousand seeded weights with trained tokenizers of every kind, as Hugging Face folders."""
# ruff: noqa: RUF001

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = {
    "unk_token": "[UNK]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
ROBERTA = {"unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
LONGEST = 48  # tokens: some of TEXTS are longer

TEXTS = (
    "A cat sleeps on the warm windowsill.",
    "The kitten is napping in the sun, and Anna Müller is reading.",
    "Stock markets fell sharply on Tuesday in New York.",
    "Où est la bibliothèque ? Elle est près de la gare.",
    "for (let i = 0; i < 10; i++) { console.log(i); }",
    "Pizza 🍕 and ice cream 🍨 for everyone!!!",
    "ok",
    "",
    " ",
    "  two  spaces   everywhere  ",
    "tabs\tand\nnew lines\r\nof every kind",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen, which is why plants need the sun. "
    * 3,
    "HTTP 404: the page you were looking for was not found, but the server itself is running as it should.",
    "日本語の文章もトークンになります。",
    "中文没有空格，但是有标点。",
    "𠀀𠀁 are beyond the basic plane",
    "Ein kurzer deutscher Satz über Straßen und Äpfel.",
    "ΟΔΥΣΣΕΥΣ και Σίσυφος: ΣΑΣ",
    "İstanbul'da ılık bir İLKBAHAR günü",
    "e\u0301te\u0301 naïve cafe\u0301 Å ﬁne",
    "가각 한국어 문장입니다.",
    "สวัสดีครับ",
    "हिन्दी में एक वाक्य",
    "שלום עולם",
    "مرحبا بالعالم",
    "Привет, мир! Ёлка.",
    "👩‍👩‍👧‍👦 family, 🇩🇪 flag, 👍🏽 thumb",
    "a\u200db zero\u200bwidth soft\u00adhyphen",
    "control\u0001chars\u0007 and \ufffd and \ufeff",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2,
    "1,234.56 € or $99 — 50% “quoted” text…",
    "don't can't we're I'm it's they'll I've he'd",
    "ALL CAPITALS SHOUTING AT YOU",
    "snake_case and kebab-case and camelCase",
    "user@example.org and https://example.org/a?b=c#d",
    "x" * 120,
    "½ ² ³ ① Ⅷ ﷺ",
    "Ａｂｃ full width １２３",
    "non\u00a0breaking\u2003em\u3000ideographic",
    "line\u2028separator\u2029paragraph",
    "She bought a new bicycle and rode it to the lake.",
    "Barack Obama was born in Hawaii.",
    "Siemens opens an office in Lisbon in March.",
    "Marie Curie worked in Paris, then in Warsaw.",
    "I love it!",
    "I hate it.",
    "Not bad, not good, just fine.",
    "How do I reset my password?",
    "The quick brown fox jumps over the lazy dog.",
    "Tiếng Việt có nhiều dấu: ở đâu, thế nào.",
)


def train_wordpiece() -> Tokenizer:
    """As BERT's, uncased."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return _finish(tokenizer, trainers.WordPieceTrainer(vocab_size=600, special_tokens=list(SPECIAL.values())))


def train_byte_level() -> Tokenizer:
    """As RoBERTa's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(ROBERTA.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    ids = {name: tokenizer.token_to_id(token) for name, token in ROBERTA.items()}
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", ids["sep_token"]), ("<s>", ids["cls_token"]), add_prefix_space=False
    )
    return tokenizer


def train_unigram() -> Tokenizer:
    """SentencePiece's unigram, as XLM-RoBERTa's without its table of characters."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("\u00ad", "")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=list(SPECIAL.values()), unk_token="[UNK]")
    return _finish(tokenizer, trainer, TEXTS[:8])


def train_byte_fallback() -> Tokenizer:
    """SentencePiece's BPE, as Llama 2's: characters that it does not know become their bytes."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=["<unk>", "<s>", "</s>", *bytes_], limit_alphabet=40)
    split = pre_tokenizers.Split(Regex(" "), "merged_with_next")
    words = [word for text in TEXTS[:8] for word, _ in split.pre_tokenize_str("▁" + text.replace(" ", "▁"))]
    tokenizer.train_from_iterator(words, trainer)
    import json

    plain = json.loads(tokenizer.to_str())
    plain["added_tokens"] = plain["added_tokens"][:3]  # the bytes are the vocabulary's own, not added
    tokenizer = Tokenizer.from_str(json.dumps(plain))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    return tokenizer


def _finish(tokenizer: Tokenizer, trainer: Any, texts: tuple[str, ...] = TEXTS) -> Tokenizer:
    tokenizer.train_from_iterator(texts, trainer)
    ids = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ids
    )
    return tokenizer


TRAINERS: dict[str, Callable[[], Tokenizer]] = {
    "wordpiece": train_wordpiece,
    "byte-level": train_byte_level,
    "unigram": train_unigram,
    "byte-fallback": train_byte_fallback,
}


def write_encoder(folder: Path, kind: str, architecture: str, **settings: Any) -> Path:
    """Write a seeded `architecture` with a trained tokenizer of `kind`; `settings` go into its config."""
    import torch
    import transformers

    names = ROBERTA if kind == "byte-level" else SPECIAL
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=TRAINERS[kind](), model_max_length=LONGEST, padding_side="right", **names
    )
    if architecture.startswith("Distil") or kind == "byte-level":
        fast.model_input_names = ["input_ids", "attention_mask"]
    fast.save_pretrained(folder)
    family = architecture.partition("For")[0].removesuffix("Model")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    if family == "DistilBert":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    if names_by_id := settings.get("id2label"):
        settings["label2id"] = {name: index for index, name in names_by_id.items()}
    torch.manual_seed(11)
    config = getattr(transformers, f"{family}Config")(
        **sizes,
        vocab_size=len(fast),
        max_position_embeddings=LONGEST + 2 + (fast.pad_token_id or 0),
        type_vocab_size=1 if family == "Roberta" else 2,
        initializer_range=0.4,
        pad_token_id=fast.pad_token_id,
        **settings,
    )
    getattr(transformers, architecture)(config).save_pretrained(folder)
    return folder
