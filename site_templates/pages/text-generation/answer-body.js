/**
 * The text of one answer, drawn as it comes: finished blocks are never touched again, only the last, open one is drawn
 * anew, at most once a frame and less often when that takes long.
 */

import { make } from "./kit/ui/dom.js";

/** @typedef {import("./markdown.js").Markdown} Markdown */
/** @typedef {import("./markdown.js").Token} Token */

/** How many times as long as a drawing took, the next one waits. */
const REST_FACTOR = 4;

/** A rest shorter than this is no reason to miss a frame. */
const FRAME_MS = 16;

/** Marks at the end of a block that may turn out to be a list, a heading's underline or a table: shown when they are known. */
const UNDECIDED_END = /\n *(?:[-=*_`#>|+~]{1,3}|\d+\.?) *$/;

/** Definitions of link addresses, which can stand after the links that name them. */
const LINK_DEFINITION = /^ {0,3}\[[^\]\n]+\]:/m;

/** One answer's element and what is drawn in it. */
export class AnswerBody {
  element = make("div", { class: "prose" });
  text = "";
  #markdown;
  #onSettled;
  /** How many characters are drawn for good. */
  #settled = 0;
  /** @type {Node[]} the open block */
  #open = [];
  /** @type {Text | null} the open block's text, if it is code */
  #openCode = null;
  #openLanguage = "";
  /** @type {HTMLTableElement | null} the open block, if it is a table */
  #openTable = null;
  #frame = 0;
  #notBefore = 0;

  /**
   * @param {Markdown | null} markdown null shows the text as it is
   * @param {(words: string) => void} [onSettled] called with the text of each block that is finished
   */
  constructor(markdown, onSettled = () => {}) {
    this.#markdown = markdown;
    this.#onSettled = onSettled;
    this.element.classList.toggle("is-plain", !markdown);
  }

  /** @param {string} piece */
  append(piece) {
    this.text += piece.replace(/\r\n?/g, "\n");
    this.#frame ||= requestAnimationFrame(this.#tick);
  }

  /**
   * Draw what is left: nothing more comes.
   *
   * @param {boolean} isCut whether it ended in the middle, perhaps of a mark
   */
  finish(isCut) {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    // Only now are all the addresses known.
    if (LINK_DEFINITION.test(this.text)) this.#restart();
    this.#drawOrPlain(!isCut);
    this.#tellSettled(this.#open);
  }

  /** @param {Node[]} nodes none, for the space between blocks */
  #tellSettled(nodes) {
    const words = nodes.map((node) => node.textContent).join("\n");
    if (words.trim()) this.#onSettled(words);
  }

  /** @param {number} nowMs */
  #tick = (nowMs) => {
    this.#frame = 0;
    if (nowMs < this.#notBefore) {
      this.#frame = requestAnimationFrame(this.#tick);
      return;
    }
    const startMs = performance.now();
    this.#drawOrPlain(false);
    // The frame's layout, which would come next, counts as well.
    this.element.getBoundingClientRect();
    const endMs = performance.now();
    this.#notBefore = endMs + REST_FACTOR * (endMs - startMs) - FRAME_MS;
  };

  #restart() {
    this.element.replaceChildren();
    this.#settled = 0;
    this.#open = [];
    this.#openCode = null;
    this.#openTable = null;
    this.#onSettled = () => {};
  }

  /** @param {boolean} isWhole */
  #drawOrPlain(isWhole) {
    try {
      this.#draw(isWhole);
    } catch (error) {
      // Better the bare text of an answer than half of it.
      console.error(error);
      this.#markdown = null;
      this.element.classList.add("is-plain");
      this.#draw(isWhole);
    }
  }

  /** @param {boolean} isWhole whether the text is all there, down to its last mark */
  #draw(isWhole) {
    if (!this.#markdown) {
      this.element.textContent = this.text;
      return;
    }
    const rest = this.text.slice(this.#settled);
    const shown = isWhole ? rest : rest.replace(UNDECIDED_END, "");
    const blocks = this.#markdown.split(shown);
    const last = blocks.findLastIndex(({ type }) => type !== "space");
    if (last < 0) return;
    if (last === 0 && (this.#growCode(blocks[0]) || this.#growTable(blocks[0]))) return;
    this.#open.forEach((node) => /** @type {ChildNode} */ (node).remove());
    for (const block of blocks.slice(0, last)) {
      const nodes = this.#markdown.render(block);
      this.element.append(...nodes);
      this.#tellSettled(nodes);
    }
    // Counted from the end: the parser leaves out link definitions that it has seen before.
    this.#settled += shown.length - blocks.slice(last).reduce((length, { raw }) => length + raw.length, 0);
    this.#open = this.#markdown.render(blocks[last]);
    this.element.append(...this.#open);
    this.#noteOpen(blocks[last]);
  }

  /**
   * Code that only became longer keeps its element, and with it the reader's place in it.
   *
   * @param {Token} block
   * @returns {boolean} whether that was all there was to do
   */
  #growCode(block) {
    const text = this.#openCode;
    if (!text || block.type !== "code" || (block.lang ?? "") !== this.#openLanguage) return false;
    if (!block.text.startsWith(text.data)) return false;
    text.appendData(block.text.slice(text.length));
    return true;
  }

  /**
   * A table that only became longer gets the new rows, and its last one anew.
   *
   * @param {Token} block
   * @returns {boolean} whether that was all there was to do
   */
  #growTable(block) {
    const [body] = this.#openTable?.tBodies ?? [];
    if (!body || !this.#markdown || block.type !== "table" || block.rows.length < body.rows.length) return false;
    const first = body.rows.length - 1;
    const [frame] = this.#markdown.render({ ...block, rows: block.rows.slice(first) });
    const rows = /** @type {Element} */ (frame).querySelectorAll("tbody tr");
    body.rows[first].replaceWith(...rows);
    return true;
  }

  /** @param {Token} block the open one, just drawn */
  #noteOpen(block) {
    this.#openTable = block.type === "table" ? (this.element.lastElementChild?.querySelector("table") ?? null) : null;
    this.#openLanguage = block.type === "code" ? (block.lang ?? "") : "";
    const code = block.type === "code" && this.element.lastElementChild?.querySelector("pre code");
    this.#openCode = code && code.firstChild instanceof Text ? code.firstChild : null;
  }
}
