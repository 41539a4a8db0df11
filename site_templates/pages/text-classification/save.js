/** The table with its labels, as a file. */

import { make } from "./kit/ui/dom.js";
import { writeCsvRow } from "./csv.js";
import { labelRow, nameColumns, nameResults } from "./columns.js";
import { pauseWhenLong } from "./pause.js";

/** Without it, spreadsheets take UTF-8 for something else. */
const BYTE_ORDER_MARK = "\uFEFF";
const ROWS_AT_ONCE = 200;

/**
 * @param {import("./table-file.js").Table} table
 * @param {boolean} hasHeader
 * @param {(import("./columns.js").Label | null)[]} labels one a row, the header not counted
 */
export async function saveTable({ name, rows, isPlain }, hasHeader, labels) {
  const names = nameColumns(rows, hasHeader, isPlain);
  const body = hasHeader ? rows.slice(1) : rows;
  const parts = [BYTE_ORDER_MARK, writeCsvRow([...names, ...nameResults(names)])];
  const pause = pauseWhenLong();
  for (let start = 0; start < body.length; start += ROWS_AT_ONCE) {
    const lines = body.slice(start, start + ROWS_AT_ONCE);
    parts.push(lines.map((row, place) => writeCsvRow(labelRow(row, names.length, labels[start + place]))).join(""));
    await pause();
  }
  const address = URL.createObjectURL(new Blob(parts, { type: "text/csv" }));
  make("a", { href: address, download: `${name.replace(/\.[^.]*$/, "")}-labels.csv` }).click();
  // The browser reads the address a little later.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
