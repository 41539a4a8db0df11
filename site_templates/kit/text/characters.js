/**
 * @param {string} text
 * @returns {number} code points
 */
export function countCharacters(text) {
  let count = text.length;
  for (let index = 0; index < text.length; index++) if ((text.charCodeAt(index) & 0xfc00) === 0xdc00) count--;
  return count;
}
