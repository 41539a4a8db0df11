/** Reads answers to those who listen: each finished part once, as it comes, and nothing again. */

import { make } from "./kit/ui/dom.js";

/** Longer parts, code above all, are looked at rather than listened to. */
const LONGEST_PART = 2_000;

/**
 * @param {HTMLElement} region with the role of a log, whose additions are read
 * @returns {{start: (words: string) => void, speak: (words: string) => void}}
 */
export function makeSpeaker(region) {
  /** @param {string} words */
  const speak = (words) => {
    const text = words.length > LONGEST_PART ? `${words.slice(0, LONGEST_PART)} … and so on.` : words;
    region.append(make("p", {}, text));
  };
  return {
    speak,
    start(words) {
      region.replaceChildren();
      speak(words);
    },
  };
}
