/** Names for things that need a name of their own. */

const letters = "0123456789abcdefghijklmnopqrstuv";

/**
 * Not randomUUID: it is missing where the page is served without TLS.
 * @param {number} length
 * @returns {string} so many letters and digits
 */
export function makeRandomId(length) {
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => letters[byte % letters.length]).join("");
}
