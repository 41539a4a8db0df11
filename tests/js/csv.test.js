/** Tables as text: what the page for whole tables reads and writes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CsvParser, guessDelimiter, writeCsvRow } from "../../site_templates/pages/text-classification/csv.js";

/** @param {string} text @param {string} [delimiter] @param {number} [size] of the pieces it comes in */
function parse(text, delimiter = ",", size = text.length || 1) {
  const parser = new CsvParser(delimiter);
  /** @type {string[][]} */
  const rows = [];
  for (let start = 0; start < text.length; start += size) rows.push(...parser.push(text.slice(start, start + size)));
  return [...rows, ...parser.end()];
}

/** @type {[text: string, rows: string[][], delimiter?: string][]} */
const tables = [
  ["", []],
  ["a", [["a"]]],
  ["a,b\r\nc,d\r\n", [["a", "b"], ["c", "d"]]],
  ["a,b\nc,d", [["a", "b"], ["c", "d"]]],
  ["a\rb\r\rc", [["a"], ["b"], [""], ["c"]]],
  ["a,,\n,", [["a", "", ""], ["", ""]]],
  ["\r\n\r\n", [[""], [""]]],
  ['"a, b","c""d","e\r\nf"\r\n"",g', [["a, b", 'c"d', "e\r\nf"], ["", "g"]]],
  ['""', [[""]]],
  ['""""', [['"']]],
  ['a "b" c,d', [['a "b" c', "d"]]],
  ['"a"b,c', [["ab", "c"]]],
  ['"never closed,x\ny', [["never closed,x\ny"]]],
  ["a;b\n1,5;2", [["a", "b"], ["1,5", "2"]], ";"],
  ["a\tb, c", [["a", "b, c"]], "\t"],
  ['He said "no", and left.\n"Quoted", too', [['He said "no", and left.'], ['"Quoted", too']], ""],
  ["😀,é\u2028,\u0000", [["😀", "é\u2028", "\u0000"]]],
];

for (const [text, rows, delimiter] of tables) {
  test(`${JSON.stringify(text)} is read, however it is cut into pieces`, () => {
    for (const size of [text.length || 1, 1, 2, 3]) assert.deepEqual(parse(text, delimiter, size), rows, `pieces of ${size}`);
  });
}

test("an open quote is told", () => {
  const parser = new CsvParser(",");
  parser.push('a,"b');
  assert.equal(parser.isInQuotes, true);
  parser.push('"');
  assert.equal(parser.isInQuotes, false);
});

test("the delimiter is the one that cuts rows alike", () => {
  assert.equal(guessDelimiter("id,text\n1,hello\n2,you", "a.csv"), ",");
  assert.equal(guessDelimiter("id;text\n1;well, hello, you\n2;no", "a.csv"), ";");
  assert.equal(guessDelimiter("id\ttext\n1\tone, two\n", "pasted"), "\t");
  assert.equal(guessDelimiter("Hello, you.\nNo commas here\nOne, two, three\n", "a.txt"), "");
  assert.equal(guessDelimiter("text\nhello\n", "a.csv"), ",");
  assert.equal(guessDelimiter("a,b", "a.tsv"), "\t");
});

test("what is written is read back, and no spreadsheet takes it for a formula", () => {
  const row = ["plain", 'with "quotes"', "a,b", "two\r\nlines", "", " spaces ", "é 😀"];
  assert.deepEqual(parse(writeCsvRow(row)), [row]);
  const harmful = ["=1+1", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")'];
  for (const cell of parse(writeCsvRow(harmful))[0]) assert.equal(cell[0], "'");
  assert.equal(writeCsvRow(["-1.5", "+3", "0.98"]), "-1.5,+3,0.98\r\n");
});
