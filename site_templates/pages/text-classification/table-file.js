/** A file as rows of cells: whatever encoding and delimiter it has, read piece by piece. */

import { formatBytes, groupDigits } from "./kit/ui/format.js";
import { CsvParser, guessDelimiter } from "./csv.js";
import { pauseWhenLong } from "./pause.js";

export const LARGEST_BYTES = 64 * 1024 * 1024;
export const MOST_ROWS = 200_000;
const SAMPLE_BYTES = 16 * 1024;
const PIECE_BYTES = 50_000;

/** A file that cannot be taken, in words for its owner. */
export class TableError extends Error {}

/** @typedef {{name: string, rows: string[][], isPlain: boolean}} Table `isPlain`: a text on each line, no columns */

/**
 * @param {File} file
 * @returns {Promise<Table>} without blank rows. Throws TableError.
 */
export async function readTable(file) {
  if (file.size > LARGEST_BYTES) {
    throw new TableError(`${file.name} has ${formatBytes(file.size)}; this page takes up to ${formatBytes(LARGEST_BYTES)}.`);
  }
  const sample = new Uint8Array(await readBytes(file.slice(0, SAMPLE_BYTES), file.name));
  const encoding = guessEncoding(sample, file.name);
  try {
    return await parseFile(file, sample, encoding);
  } catch (error) {
    if (!(error instanceof TypeError) || encoding !== "utf-8") throw error;
    // Not UTF-8 after all: then it is what spreadsheets on Windows write.
    return parseFile(file, sample, "windows-1252");
  }
}

/**
 * @param {Blob} part
 * @param {string} name
 * @returns {Promise<ArrayBuffer>}
 */
async function readBytes(part, name) {
  try {
    return await part.arrayBuffer();
  } catch (error) {
    throw new TableError(`${name} cannot be read. Is it a folder, or has it been moved?`, { cause: error });
  }
}

/**
 * @param {Uint8Array} sample
 * @param {string} name
 * @returns {string}
 */
function guessEncoding(sample, name) {
  const [first, second] = sample;
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  if (sample.includes(0)) {
    throw new TableError(`${name} is not a text file. Save the table as CSV, in UTF-8, and open that.`);
  }
  return "utf-8";
}

/**
 * @param {File} file
 * @param {Uint8Array} sample
 * @param {string} encoding
 * @returns {Promise<Table>} throws a TypeError where the bytes are not of this encoding
 */
async function parseFile(file, sample, encoding) {
  const decoder = new TextDecoder(encoding, { fatal: true });
  const delimiter = guessDelimiter(new TextDecoder(encoding).decode(sample), file.name);
  const parser = new CsvParser(delimiter);
  /** @type {string[][]} */
  const rows = [];
  const pause = pauseWhenLong();
  for (let start = 0; start < file.size; start += PIECE_BYTES) {
    const bytes = await readBytes(file.slice(start, start + PIECE_BYTES), file.name);
    keepRows(rows, parser.push(decoder.decode(bytes, { stream: true })), file.name);
    await pause();
  }
  keepRows(rows, parser.push(decoder.decode()), file.name);
  if (parser.isInQuotes) {
    throw new TableError(`${file.name} has a quote that is never closed; the cell with it would swallow the rest of the table.`);
  }
  keepRows(rows, parser.end(), file.name);
  if (rows.length === 0) throw new TableError(`${file.name} has no text in it.`);
  return { name: file.name, rows, isPlain: delimiter === "" };
}

/**
 * @param {string[][]} rows
 * @param {string[][]} more
 * @param {string} name
 */
function keepRows(rows, more, name) {
  for (const row of more) if (row.some((cell) => cell.trim() !== "")) rows.push(row);
  if (rows.length > MOST_ROWS) {
    throw new TableError(`${name} has more than ${groupDigits(MOST_ROWS)} rows. Cut it into several files.`);
  }
}
