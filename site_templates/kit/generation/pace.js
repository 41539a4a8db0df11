/** How fast a generation goes. */

/** Counts tokens from the moment it is made. */
export class Pace {
  tokens = 0;
  #startMs = performance.now();
  #firstMs = 0;
  #lastMs = 0;

  /** One more token. */
  count() {
    this.#lastMs = performance.now();
    if (!this.tokens++) this.#firstMs = this.#lastMs;
  }

  /** @returns {{firstTokenMs: number, tokensPerSecond: number, completionTokens: number}} */
  read() {
    const seconds = (this.#lastMs - this.#firstMs) / 1000;
    return {
      firstTokenMs: this.tokens ? this.#firstMs - this.#startMs : 0,
      tokensPerSecond: seconds > 0 ? (this.tokens - 1) / seconds : 0,
      completionTokens: this.tokens,
    };
  }
}
