import assert from "node:assert/strict";
import { test } from "node:test";

import { joinPages, joinPieces } from "../../site_templates/kit/documents/pdf-text.js";

/**
 * Lines as pdf.js gives them: each ends with an empty piece.
 * @param {[text: string, bottom: number, height?: number][]} lines
 */
const pieces = (lines) =>
  lines.flatMap(([str, bottom, height = 10]) => [
    { str, transform: [1, 0, 0, 1, 50, bottom], height, hasEOL: false },
    { str: "", transform: [1, 0, 0, 1, 50, bottom], height: 0, hasEOL: true },
  ]);

test("lines of a paragraph stay together, and a gap begins another", () => {
  const lines = pieces([["One", 700], ["two.", 688], ["Three", 664], ["four", 652], ["five.", 640]]);
  assert.equal(joinPieces(lines), "One\ntwo.\n\nThree\nfour\nfive.");
});

test("a line of larger letters stands alone, lines far apart everywhere do not", () => {
  assert.equal(joinPieces(pieces([["A title", 700, 18], ["Text", 676], ["more", 664], ["and more", 652]])), "A title\n\nText\nmore\nand more");
  assert.equal(joinPieces(pieces([["Double", 700], ["spaced", 676], ["lines", 652]])), "Double\nspaced\nlines");
});

test("a word that was cut at the end of a line is whole, a range and a name are left alone", () => {
  assert.equal(joinPieces(pieces([["in the sun-", 700], ["shine of 1990-", 688], ["1995 at Stratford-", 676], ["Upon", 664]])), "in the sunshine of 1990-\n1995 at Stratford-\nUpon");
  assert.equal(joinPieces(pieces([["un\u00ad", 700], ["even", 688]])), "uneven");
});

test("the top of the next column goes on with the sentence", () => {
  assert.equal(joinPieces(pieces([["left", 700], ["ends", 688], ["right", 700], ["ends.", 688]])), "left\nends\nright\nends.");
});

test("pages begin where their text does, empty ones too, and a sentence may go on overleaf", () => {
  const { text, pages } = joinPages(["", "One. Two", "goes on.", "", "Three."]);
  assert.equal(text, "One. Two\ngoes on.\n\nThree.");
  assert.deepEqual(pages, [0, 0, 9, 17, 19]);
  assert.deepEqual(joinPages(["", ""]), { text: "", pages: [0, 0] });
  assert.equal(joinPieces([]), "");
});
