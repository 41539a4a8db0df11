/**
 * GPT-2's alphabet for bytes: printable Latin-1 characters stand for themselves, the other bytes for the characters from
 * U+0100 on.
 */

const encoder = new TextEncoder();

/** @type {string[]} a character for each byte */
const characters = [];
let next = 0x100;
for (let byte = 0; byte < 256; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  characters.push(String.fromCharCode(printable ? byte : next++));
}

const bytes = new Map(characters.map((character, byte) => [character, byte]));

/**
 * @param {Uint8Array} values
 * @returns {string} a character of the alphabet for each
 */
export function spellBytes(values) {
  let text = "";
  for (const value of values) text += characters[value];
  return text;
}

/**
 * @param {string} text
 * @returns {string} its UTF-8, a character of the alphabet for each byte
 */
export function spellText(text) {
  return spellBytes(encoder.encode(text));
}

/**
 * @param {string} token
 * @returns {Uint8Array} what it spells; a token with a character outside the alphabet stands for itself
 */
export function readSpelling(token) {
  const values = new Uint8Array(token.length);
  for (let index = 0; index < token.length; index++) {
    const value = bytes.get(token[index]);
    if (value === undefined) return encoder.encode(token);
    values[index] = value;
  }
  return values;
}
