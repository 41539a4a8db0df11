"""The tasks of encoders in a real browser, on small seeded models: the answers of transformers' pipelines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_encoders import TEXTS, write_encoder

import webgpu_kit
from browser.conftest import BARE_PAGE, FindSite, OpenPage
from webgpu_kit.recipe import TaskName

pytest.importorskip("transformers")
TOLERANCE = 1e-4
# Where subgroups are narrower than 8 (SwiftShader), ONNX Runtime's attention is wrong from 32 tokens on: see
# kit/generation/part-length.js. What is asked of WebGPU here stays below.
SHORT_TEXTS = ("ok", "a cat sleeps", "I love it!", "the sun", "")
NER = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}
RUN = """async ({ input, backend }) => {
    const { load } = await import("./kit/kit.js");
    globalThis.model ??= await load("./model/manifest.json", { backend });
    try {
        const { outputs, timeMs, ...answer } = await globalThis.model.run(input);
        return answer;
    } catch (error) { return { code: error.code, message: error.message }; }
}"""


class Subject:
    """A seeded model in its folder, and its site, which is asked through the kit alone."""

    def __init__(self, model: Path, site: Path, open_page: OpenPage) -> None:
        self.model = model
        self._page = open_page(site, "bare.html")

    def ask(self, input: dict[str, Any], backend: str = "wasm") -> Any:
        return self._page.js(RUN, {"input": input, "backend": backend})


MakeSubject = Callable[..., Subject]


@pytest.fixture
def make_subject(find_encoder_site: FindSite, tmp_path: Path, open_page: OpenPage) -> MakeSubject:
    """Those with a WordPiece tokenizer are the text pages' own, the others are built here."""

    def make(task: TaskName, kind: str, architecture: str = "", **settings: Any) -> Subject:
        if kind == "wordpiece":
            site = find_encoder_site(task)
            return Subject(site.parent / f"{task}-model", site, open_page)
        model = write_encoder(tmp_path / "model", kind, architecture, **settings)
        site = webgpu_kit.build(str(model), out=tmp_path / "site", task=task, dtypes=["fp32"]).path
        (site / "bare.html").write_text(BARE_PAGE, encoding="utf-8")
        return Subject(model, site, open_page)

    return make


def make_pipeline(task: str, folder: Path, **options: Any) -> Any:
    from transformers import pipeline

    return pipeline(task, model=str(folder), device="cpu", **options)


def same_scores(given: list[float], wanted: list[float]) -> None:
    assert given == pytest.approx(wanted, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("kind", "architecture", "problem", "backend"),
    [
        ("wordpiece", "", None, "wasm"),
        ("byte-level", "RobertaForSequenceClassification", "multi_label_classification", "wasm"),
        ("unigram", "DistilBertForSequenceClassification", None, "webgpu"),
    ],
)
def test_text_classification(
    make_subject: MakeSubject, kind: str, architecture: str, problem: str | None, backend: str
) -> None:
    texts = list(TEXTS if backend == "wasm" else SHORT_TEXTS)
    labels = {"id2label": {0: "red", 1: "green", 2: "blue"}, "problem_type": problem}
    subject = make_subject("text-classification", kind, architecture, **labels)
    given = subject.ask({"text": texts}, backend)["results"]
    wanted = make_pipeline("text-classification", subject.model, top_k=None)(texts, truncation=True)
    for mine, theirs in zip(given, wanted, strict=True):
        same_scores([each["score"] for each in mine], [each["score"] for each in theirs])
        check_order(mine, theirs)


def check_order(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """The same labels in the same places, but for those whose scores are the same within the tolerance."""
    scores = {each["label"]: each["score"] for each in theirs}
    for here, there in zip(mine, theirs, strict=True):
        assert here["label"] == there["label"] or scores[here["label"]] == pytest.approx(there["score"], abs=TOLERANCE)


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [
        ("wordpiece", ""),
        ("byte-level", "RobertaForTokenClassification"),
        ("unigram", "DistilBertForTokenClassification"),
    ],
)
def test_token_classification(make_subject: MakeSubject, kind: str, architecture: str) -> None:
    texts = [text for text in TEXTS if text]
    subject = make_subject("token-classification", kind, architecture, id2label=NER)
    given = subject.ask({"text": texts})["entities"]
    find = make_pipeline("token-classification", subject.model, aggregation_strategy="simple")
    for text, mine in zip(texts, given, strict=True):
        for entity in (theirs := find(text)):
            for key in ("start", "end"):
                entity[key] = len(text[: entity[key]].encode("utf-16-le")) // 2
        named = [{name: value for name, value in entity.items() if name != "score"} for entity in mine]
        assert named == [{name: value for name, value in entity.items() if name != "score"} for entity in theirs], text
        same_scores([entity["score"] for entity in mine], [float(entity["score"]) for entity in theirs])


@pytest.mark.parametrize(
    ("kind", "architecture", "mask", "backend"),
    [
        ("wordpiece", "", "[MASK]", "wasm"),
        ("byte-level", "RobertaForMaskedLM", "<mask>", "wasm"),
        ("unigram", "DistilBertForMaskedLM", "[MASK]", "webgpu"),
    ],
)
def test_fill_mask(make_subject: MakeSubject, kind: str, architecture: str, mask: str, backend: str) -> None:
    texts = [f"{text[:40]} {mask} {text[40:80]}" for text in (TEXTS if backend == "wasm" else SHORT_TEXTS)]
    texts[1] += f" {mask}"
    subject = make_subject("fill-mask", kind, architecture)
    given = subject.ask({"text": texts, "top_k": 4}, backend)["fills"]
    fill = make_pipeline("fill-mask", subject.model, top_k=4)
    for text, mine in zip(texts, given, strict=True):
        theirs = fill(text)
        theirs = theirs if isinstance(theirs[0], list) else [theirs]
        for here, there in zip(mine, theirs, strict=True):
            same_scores([each["score"] for each in here], [each["score"] for each in there])
            for one, other in zip(here, there, strict=True):
                apart = [abs(each["score"] - other["score"]) for each in there if each is not other]
                if min(apart) > TOLERANCE:
                    assert {name: one[name] for name in ("token", "token_str", "sequence")} == {
                        name: other[name] for name in ("token", "token_str", "sequence")
                    }
    failure = subject.ask({"text": ["no gap"]})
    assert failure["code"] == "bad-input" and f"needs a gap, written {mask}; it has none." in failure["message"]


def test_zero_shot_classification(make_subject: MakeSubject) -> None:
    subject = make_subject("zero-shot-classification", "wordpiece")
    classify = make_pipeline("zero-shot-classification", subject.model)
    labels, template = ["sport", "politics", "the art of cooking"], "This text is about {}."
    for index, text in enumerate(text for text in TEXTS if text):
        options = {"multi_label": bool(index % 2)} | ({"hypothesis_template": template} if index % 3 else {})
        input = {"text": text, "candidate_labels": labels[: 1 + index % 3], **options}
        given = subject.ask(input)
        wanted = classify(text, input["candidate_labels"], **options)
        assert given["labels"] == wanted["labels"], text
        same_scores(given["scores"], wanted["scores"])
    bad = subject.ask({"text": "a", "candidate_labels": ["b"], "hypothesis_template": "no place"})
    assert "has no {} where the label goes" in bad["message"]


@pytest.mark.parametrize("kind", ["wordpiece", "byte-level"])
def test_text_ranking(make_subject: MakeSubject, kind: str) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    documents = list(TEXTS)
    subject = make_subject("text-ranking", kind, "RobertaForSequenceClassification", num_labels=1)
    given = subject.ask({"query": TEXTS[0], "documents": documents})["results"]
    encoder = sentence_transformers.CrossEncoder(str(subject.model), device="cpu", local_files_only=True)
    wanted = encoder.rank(TEXTS[0], documents)
    same_scores([each["score"] for each in given], [float(each["score"]) for each in wanted])
    scores = {each["corpus_id"]: float(each["score"]) for each in wanted}
    for here, there in zip(given, wanted, strict=True):
        assert here["index"] == there["corpus_id"] or scores[here["index"]] == pytest.approx(
            float(there["score"]), abs=TOLERANCE
        )


def test_sentence_similarity(make_subject: MakeSubject) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    sentences = list(TEXTS)
    input = {"source_sentence": TEXTS[0], "sentences": sentences}
    subject = make_subject("sentence-similarity", "wordpiece")
    given = subject.ask(input)["scores"]
    from sentence_transformers.models import Pooling, Transformer

    transformer = Transformer(str(subject.model))
    pooling = Pooling(32)
    model = sentence_transformers.SentenceTransformer(modules=[transformer, pooling], device="cpu")
    embeddings = model.encode([TEXTS[0], *sentences])
    same_scores(given, model.similarity(embeddings[:1], embeddings[1:])[0].tolist())
