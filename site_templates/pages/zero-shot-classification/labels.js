/** Labels as people write them. */

const LONGEST_LABEL = 120;

/**
 * @param {string} text
 * @returns {string[]} the labels in it: parts between commas, semicolons and line breaks
 */
export function splitLabels(text) {
  return text
    .split(/[,;\n\r\t]+/)
    .map((label) => label.trim().slice(0, LONGEST_LABEL))
    .filter(Boolean);
}
