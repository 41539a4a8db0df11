/** Which column of a table holds the texts, whether its first row holds names, and the table with its labels. */

const LOOKED_AT = 200;
const TEXT_NAMES = /^(text|texts|sentence|review|comment|message|content|body|tweet|title|description|feedback|input|document)s?$/i;

/** @typedef {import("./table-file.js").Table} Table */
/** @typedef {{label: string, score: number}} Label */

/**
 * @param {Table} table
 * @returns {boolean} the first row looks like names: short, all there, all different, none a number
 */
export function guessHeader({ rows, isPlain }) {
  if (isPlain || rows.length < 2) return false;
  const names = rows[0].map((cell) => cell.trim());
  if (names.some((name) => name === "" || name.length > 40 || !Number.isNaN(Number(name)))) return false;
  if (new Set(names).size < names.length) return false;
  if (names.some((name) => TEXT_NAMES.test(name))) return true;
  // A text is longer than the name of its column.
  const column = guessColumn({ rows: rows.slice(1), hasHeader: false });
  return names[column] !== undefined && names[column].length * 2 < meanLength(rows.slice(1), column);
}

/**
 * @param {{rows: string[][], hasHeader: boolean}} table
 * @returns {number} the column of the longest texts, or one that is named for them
 */
export function guessColumn({ rows, hasHeader }) {
  if (hasHeader) {
    const named = rows[0].findIndex((name) => TEXT_NAMES.test(name.trim()));
    if (named >= 0) return named;
  }
  const body = rows.slice(hasHeader ? 1 : 0, LOOKED_AT);
  const lengths = Array.from({ length: countColumns(rows) }, (_, column) => meanLength(body, column));
  return Math.max(0, lengths.indexOf(Math.max(...lengths)));
}

/**
 * @param {string[][]} rows
 * @returns {number} of the rows looked at, the most cells
 */
export function countColumns(rows) {
  return Math.max(1, ...rows.slice(0, LOOKED_AT).map((row) => row.length));
}

/**
 * @param {string[][]} rows
 * @param {boolean} hasHeader
 * @param {boolean} isPlain
 * @returns {string[]} a name for every column
 */
export function nameColumns(rows, hasHeader, isPlain) {
  if (isPlain) return ["text"];
  return Array.from({ length: countColumns(rows) }, (_, column) => (hasHeader && rows[0][column]?.trim()) || `column ${column + 1}`);
}

/**
 * @param {string[]} names
 * @returns {[label: string, score: string]} names for the new columns, that the table does not have yet
 */
export function nameResults(names) {
  const isTaken = names.some((name) => name === "label" || name === "score");
  return isTaken ? ["predicted_label", "predicted_score"] : ["label", "score"];
}

/**
 * @param {string[]} row
 * @param {number} width of the table
 * @param {Label | null} label null where the row has none
 * @returns {string[]} as wide as the table, with the label and the score
 */
export function labelRow(row, width, label) {
  const cells = Array.from({ length: Math.max(width, row.length) }, (_, column) => row[column] ?? "");
  return [...cells, label?.label ?? "", label ? label.score.toFixed(6) : ""];
}

/**
 * @param {string[][]} rows
 * @param {number} column
 * @returns {number} characters
 */
function meanLength(rows, column) {
  const looked = rows.slice(0, LOOKED_AT);
  return looked.reduce((sum, row) => sum + (row[column]?.length ?? 0), 0) / Math.max(1, looked.length);
}
