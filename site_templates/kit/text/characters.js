/**
 * @param {string} text
 * @returns {number} code points
 */
export function countCharacters(text) {
  let count = text.length;
  for (let index = 0; index < text.length; index++) if ((text.charCodeAt(index) & 0xfc00) === 0xdc00) count--;
  return count;
}

/** Places in a text, asked for one after another: from UTF-16 units to code points. */
export class CharacterPlaces {
  #unit = 0;
  #character = 0;

  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  /**
   * @param {number} unit
   * @returns {number} quickly where it is near the one before
   */
  find(unit) {
    if (unit >= this.#unit) this.#character += countCharacters(this.text.slice(this.#unit, unit));
    else this.#character -= countCharacters(this.text.slice(unit, this.#unit));
    this.#unit = unit;
    return this.#character;
  }
}
