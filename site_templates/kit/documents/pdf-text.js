/**
 * The pieces of text that pdf.js finds on a page, as lines, paragraphs and pages. They come in the order in which the
 * file draws them, which is kept: of columns it is nearly always the order in which people read.
 *
 * @typedef {object} Piece  as pdf.js has it, sizes in points
 * @property {string} str
 * @property {number[]} transform  the last two numbers are the place of its beginning, from the left and from below
 * @property {number} height  of its letters
 * @property {boolean} hasEOL  whether the line ends here
 *
 * @typedef {{text: string, bottom: number, height: number}} Line
 */

/** Lines of a paragraph stand equally far apart. So much further is a gap, and so much larger letters are a heading. */
const gapRatio = 1.4;
const sizeRatio = 1.15;

const hyphenEnd = /\p{L}[-\u00ad\u2010]$/u;
const smallLetter = /^\p{Ll}/u;
const sentenceEnd = /[.!?…。！？:;]["'”’»)\]]*$/;

/**
 * @param {readonly Piece[]} pieces  of one page
 * @returns {string} its lines, with a blank one between paragraphs, and words that were cut at a line's end whole again
 */
export function joinPieces(pieces) {
  const lines = listLines(pieces);
  const usual = findUsualDistance(lines);
  let text = "";
  lines.forEach((line, index) => {
    if (!index) text = line.text;
    else if (isNewParagraph(lines[index - 1], line, usual)) text += `\n\n${line.text}`;
    else if (hyphenEnd.test(text) && smallLetter.test(line.text)) text = text.slice(0, -1) + line.text;
    else text += `\n${line.text}`;
  });
  return text;
}

/**
 * @param {readonly string[]} texts  of the pages
 * @returns {{text: string, pages: number[]}} the whole, and where each page begins in it
 */
export function joinPages(texts) {
  let text = "";
  let last = "";
  const pages = texts.map((page) => {
    // A sentence may go on overleaf. Only the page before is looked at: the whole, for each page, takes seconds.
    if (last && page) text += sentenceEnd.test(last) ? "\n\n" : "\n";
    const start = text.length;
    text += page;
    last = page || last;
    return start;
  });
  return { text, pages };
}

/**
 * @param {readonly Piece[]} pieces
 * @returns {Line[]} those with text in them
 */
function listLines(pieces) {
  /** @type {Line[]} */
  const lines = [];
  let text = "";
  let height = 0;
  let bottom = 0;
  pieces.forEach((piece, index) => {
    text += piece.str;
    if (piece.str.trim()) {
      height = Math.max(height, piece.height);
      bottom = piece.transform[5];
    }
    if (!piece.hasEOL && index + 1 < pieces.length) return;
    const clean = text.replace(/[\s\0]+/g, " ").trim();
    if (clean) lines.push({ text: clean, bottom, height });
    text = "";
    height = 0;
  });
  return lines;
}

/**
 * @param {readonly Line[]} lines
 * @returns {number} the middle one of the distances between lines, in heights of the letters
 */
function findUsualDistance(lines) {
  const distances = lines
    .slice(1)
    .map((line, index) => measureDistance(lines[index], line))
    .filter((distance) => distance > 0)
    .sort((a, b) => a - b);
  return distances[distances.length >> 1] ?? 0;
}

/**
 * @param {Line} above
 * @param {Line} line
 * @returns {number}
 */
function measureDistance(above, line) {
  return (above.bottom - line.bottom) / Math.max(above.height, line.height, 1);
}

/**
 * @param {Line} above
 * @param {Line} line
 * @param {number} usual
 * @returns {boolean} never at the top of a column, where a sentence may go on
 */
function isNewParagraph(above, line, usual) {
  const distance = measureDistance(above, line);
  if (distance <= 0) return false;
  const [small, large] = [above.height, line.height].sort((a, b) => a - b);
  return distance > usual * gapRatio || large > small * sizeRatio;
}
