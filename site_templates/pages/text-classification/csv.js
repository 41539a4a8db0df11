/**
 * Tables as text, as RFC 4180 has them: read piece by piece, so that a large file never holds the page up, and
 * written so that a spreadsheet takes every cell for text.
 */

const DELIMITERS = [",", ";", "\t", "|"];
/** What makes a spreadsheet take a cell for a formula. */
const FORMULA = /^[=+\-@\t\r]/;
const NUMBER = /^[+-]?\d+([.,]\d+)?$/;

/**
 * Reads text that comes in pieces. Lenient where people's files are: any line ends, quotes inside of bare cells, a
 * last quote that is missing.
 */
export class CsvParser {
  #delimiter;
  /** @type {string[]} */
  #row = [];
  #cell = "";
  #isQuoted = false;
  /** Whether a quote has just ended the cell, or is the first half of a doubled one. */
  #hasQuote = false;
  /** Whether the last piece ended with a carriage return, whose line feed may come with the next. */
  #hasReturn = false;
  #isFresh = true;

  /** @param {string} delimiter one character; "" for one cell a line */
  constructor(delimiter) {
    this.#delimiter = delimiter;
  }

  /**
   * @param {string} piece
   * @returns {string[][]} the rows that it completes
   */
  push(piece) {
    /** @type {string[][]} */
    const rows = [];
    let start = 0;
    if (this.#hasReturn && piece.length > 0) {
      if (piece[0] === "\n") start = 1;
      this.#hasReturn = false;
    }
    for (let place = start; place < piece.length; place += 1) {
      const character = piece[place];
      if (this.#isQuoted) {
        const end = this.#readQuoted(piece, place);
        if (end !== place) place = end - 1;
        else this.#closeQuote();
      } else if (this.#hasQuote && character === '"') {
        this.#cell += '"';
        this.#isQuoted = true;
        this.#hasQuote = false;
      } else if (character === this.#delimiter) {
        this.#endCell();
      } else if (character === "\n" || character === "\r") {
        rows.push(this.#endRow());
        if (character === "\r" && piece[place + 1] === "\n") place += 1;
        else this.#hasReturn = character === "\r" && place + 1 === piece.length;
      } else if (character === '"' && this.#isFresh && this.#delimiter !== "") {
        this.#isQuoted = true;
        this.#isFresh = false;
      } else {
        const end = this.#findPlainEnd(piece, place + 1);
        this.#cell += piece.slice(place, end);
        this.#isFresh = false;
        this.#hasQuote = false;
        place = end - 1;
      }
    }
    return rows;
  }

  /** @returns {string[][]} the last row, where the text did not end with a line break */
  end() {
    return this.#isFresh && this.#row.length === 0 ? [] : [this.#endRow()];
  }

  /** Whether a quoted cell is still open: at the end of a file, a quote that was never closed. */
  get isInQuotes() {
    return this.#isQuoted;
  }

  /**
   * @param {string} piece
   * @param {number} place inside of quotes
   * @returns {number} where the next quote is, after what lies before it was taken into the cell
   */
  #readQuoted(piece, place) {
    const found = piece.indexOf('"', place);
    const end = found < 0 ? piece.length : found;
    this.#cell += piece.slice(place, end);
    return end;
  }

  #closeQuote() {
    this.#isQuoted = false;
    this.#hasQuote = true;
  }

  /**
   * @param {string} piece
   * @param {number} place
   * @returns {number} where a cell that is not quoted ends
   */
  #findPlainEnd(piece, place) {
    while (place < piece.length && piece[place] !== this.#delimiter && piece[place] !== "\n" && piece[place] !== "\r") place += 1;
    return place;
  }

  #endCell() {
    this.#row.push(this.#cell);
    this.#cell = "";
    this.#isFresh = true;
    this.#hasQuote = false;
  }

  /** @returns {string[]} */
  #endRow() {
    this.#endCell();
    const row = this.#row;
    this.#row = [];
    this.#isQuoted = false;
    return row;
  }
}

/**
 * @param {string} sample the beginning of a file
 * @param {string} name of the file, whose ending may tell
 * @returns {string} the delimiter that cuts most rows into the same number of cells; "" where none cuts any
 */
export function guessDelimiter(sample, name) {
  if (/\.txt$/i.test(name)) return "";
  if (/\.(tsv|tab)$/i.test(name)) return "\t";
  let best = { delimiter: /\.csv$/i.test(name) ? "," : "", score: 0 };
  for (const delimiter of DELIMITERS) {
    const widths = new CsvParser(delimiter).push(sample).map((row) => row.length);
    const usual = widths[0] ?? 1;
    const share = widths.filter((width) => width === usual).length / Math.max(1, widths.length);
    if (usual > 1 && share > best.score) best = { delimiter, score: share };
  }
  return best.delimiter;
}

/**
 * @param {string[]} row
 * @returns {string} with the line break that RFC 4180 asks for
 */
export function writeCsvRow(row) {
  return `${row.map(writeCell).join(",")}\r\n`;
}

/**
 * A cell that a spreadsheet would run as a formula gets an apostrophe, which makes it text there.
 *
 * @param {string} cell
 * @returns {string}
 */
function writeCell(cell) {
  const safe = FORMULA.test(cell) && !NUMBER.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
