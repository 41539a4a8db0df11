/**
 * From tokens to text, piece by piece: never half a character, and never a piece of a stop string.
 */

/** What a generation has said so far. */
export class TextStream {
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #fresh = true;

  /**
   * @param {import("./token-bytes.js").TokenBytes} tokenBytes
   * @param {StopStrings} stops
   */
  constructor(tokenBytes, stops) {
    this.tokenBytes = tokenBytes;
    this.stops = stops;
  }

  /**
   * @param {number} id
   * @returns {string} what can be shown now; `stops.found` tells when to end
   */
  push(id) {
    const bytes = this.tokenBytes.read(id);
    const opens = this.#fresh && bytes.length > 0;
    this.#fresh &&= !opens;
    const text = this.#decoder.decode(opens ? this.tokenBytes.readFirst(id) : bytes, { stream: true });
    return this.stops.push(text);
  }

  /** @returns {string} what was held back; the bytes of a character that never became whole are dropped */
  finish() {
    return this.stops.finish();
  }
}

/** Finds the first of several strings in a text that comes in pieces. */
export class StopStrings {
  /**
   * @param {readonly string[]} stops
   */
  constructor(stops) {
    this.stops = stops.filter((stop) => stop);
    this.held = "";
    this.found = false;
  }

  /**
   * @param {string} piece
   * @returns {string} what is sure to come before any stop string
   */
  push(piece) {
    if (this.found) return "";
    const text = this.held + piece;
    const starts = this.stops.map((stop) => text.indexOf(stop)).filter((start) => start >= 0);
    this.found = starts.length > 0;
    const end = this.found ? Math.min(...starts) : text.length - this.#measureTail(text);
    this.held = this.found ? "" : text.slice(end);
    return text.slice(0, end);
  }

  /** @returns {string} what was held back for a stop string that did not come */
  finish() {
    const { held } = this;
    this.held = "";
    return held;
  }

  /**
   * @param {string} text
   * @returns {number} the length of the longest end of `text` that a stop string begins with
   */
  #measureTail(text) {
    const longest = Math.max(0, ...this.stops.map(({ length }) => length - 1));
    for (let length = Math.min(longest, text.length); length > 0; length--) {
      const tail = text.slice(-length);
      if (this.stops.some((stop) => stop.startsWith(tail))) return length;
    }
    return 0;
  }
}
