/**
 * Reads the calls out of an answer while it comes: text before them is text, the arguments come in pieces. The grammar
 * has seen to what is written, so only the order of things needs to be known here.
 *
 * @typedef {import("../types.js").CallPiece} CallPiece
 */

import { makeRandomId } from "../random-id.js";

/** Mistral's templates take no other ids back: nine letters and digits. */
const callIdLength = 9;

/** What stands before the arguments of a call. */
const header = /\{"name": ?"([\w-]+)", ?"(?:arguments|parameters)": ?(?=\{)/;

/** One answer's calls. */
export class CallReader {
  /** How many calls have begun. */
  count = 0;
  /** What has been heard, and not said. */
  #held = "";
  /** @type {"text" | "calls" | "only text"} */
  #state = "text";
  /** Open braces and brackets of the arguments that are coming; 0 between calls. */
  #depth = 0;
  #inString = false;
  #escaped = false;

  /**
   * @param {string} opening  what calls begin with; "" where a brace at the answer's beginning does
   * @param {{onText: (text: string) => void, onCall?: (piece: CallPiece) => void}} listener
   */
  constructor(opening, { onText, onCall = () => {} }) {
    this.opening = opening;
    this.onText = onText;
    this.onCall = onCall;
  }

  /**
   * @param {string} text
   */
  push(text) {
    this.#held += text;
    if (this.#state === "text") this.#readText();
    if (this.#state === "only text") this.#say(this.#held.length);
    while (this.#state === "calls" && (this.#depth || this.#readHeader())) {
      if (!this.#readArguments()) break;
    }
  }

  /** Say what was held back for an opening that did not come. */
  finish() {
    if (this.#state === "text") this.#say(this.#held.length);
  }

  #readText() {
    const { opening } = this;
    if (!opening) return this.#readBeginning();
    const place = this.#held.indexOf(opening);
    this.#say(place < 0 ? this.#held.length - measureOverlap(this.#held, opening) : place);
    if (place < 0) return;
    this.#held = this.#held.slice(opening.length);
    this.#state = "calls";
  }

  #readBeginning() {
    const [first] = this.#held.trimStart();
    if (first) this.#state = first === "{" ? "calls" : "only text";
  }

  /** @returns {boolean} whether a call has begun */
  #readHeader() {
    const found = header.exec(this.#held);
    if (!found) return false;
    this.#held = this.#held.slice(found.index + found[0].length);
    this.onCall({ index: this.count++, id: makeRandomId(callIdLength), name: found[1], arguments: "" });
    return true;
  }

  /** @returns {boolean} whether the arguments are whole */
  #readArguments() {
    const end = this.#findEnd();
    const piece = this.#held.slice(0, end);
    this.#held = this.#held.slice(end);
    if (piece) this.onCall({ index: this.count - 1, arguments: piece });
    return this.#depth === 0 && piece !== "";
  }

  /** @returns {number} where the arguments end, or all that there is of them so far */
  #findEnd() {
    for (let place = 0; place < this.#held.length; place++) {
      this.#step(this.#held[place]);
      if (this.#depth === 0) return place + 1;
    }
    return this.#held.length;
  }

  /**
   * @param {string} character
   */
  #step(character) {
    if (this.#escaped) this.#escaped = false;
    else if (character === '"') this.#inString = !this.#inString;
    else if (this.#inString) this.#escaped = character === "\\";
    else if (character === "{" || character === "[") this.#depth++;
    else if (character === "}" || character === "]") this.#depth--;
  }

  /**
   * @param {number} length  of the text that can be said now
   */
  #say(length) {
    if (length) this.onText(this.#held.slice(0, length));
    this.#held = this.#held.slice(length);
  }
}

/**
 * @param {string} text
 * @param {string} opening
 * @returns {number} the length of the longest end of `text` that `opening` begins with
 */
function measureOverlap(text, opening) {
  for (let length = Math.min(opening.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(opening.slice(0, length))) return length;
  }
  return 0;
}
