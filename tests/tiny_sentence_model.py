"""A sentence encoder of a few thousand seeded weights with a real WordPiece tokenizer, as a Hugging Face folder."""

from __future__ import annotations

import json
import string
from pathlib import Path

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
HIDDEN, LAYERS, HEADS, LENGTH = 32, 2, 2, 128


def write_sentence_model(folder: Path) -> Path:
    """Write the model as sentence-transformers saves one, with mean pooling."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    vocabulary = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters), "the", "cat", "dog", "sea", "##s"]
    tokenizer = Tokenizer(
        models.WordPiece({token: index for index, token in enumerate(dict.fromkeys(vocabulary))}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder.mkdir()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=LENGTH,
        **{f"{name.strip('[]').lower()}_token": name for name in SPECIAL},
    )
    fast.save_pretrained(folder)
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(fast),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=2 * HIDDEN,
        max_position_embeddings=LENGTH,
        initializer_range=0.3,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "type": "Transformer"}]), encoding="utf-8")
    return folder
