/**
 * Numbers between two bounds, as patterns of their digits: each a list of what may stand at one place after the other. Numbers have at most fifteen digits, so that a double tells
 * any two of them apart, and what the grammar lets through is within the bounds when it has been parsed, too.
 */

const most = 10n ** 15n - 1n;
const finest = 9;

/**
 * @typedef {{minimum?: number, maximum?: number, exclusiveMinimum?: number, exclusiveMaximum?: number}} Limits
 */

/**
 * @param {Limits} limits
 * @param {number} decimals  that numbers have, if any; 0 where they are whole
 * @returns {string[][]} none where no number fits
 */
export function listNumbers(limits, decimals) {
  const wholes = listDigits(readBounds(limits, 0), 0);
  return decimals ? [...wholes, ...listDigits(readBounds(limits, decimals), decimals)] : wholes;
}

/**
 * @param {Limits} limits
 * @param {number} decimals
 * @returns {{low: bigint, high: bigint}} in units of the last decimal, both included
 */
function readBounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }, decimals) {
  const lows = [-most];
  const highs = [most];
  if (minimum !== undefined) lows.push(scale(minimum, decimals, "up"));
  if (exclusiveMinimum !== undefined) lows.push(scale(exclusiveMinimum, decimals, "down") + 1n);
  if (maximum !== undefined) highs.push(scale(maximum, decimals, "down"));
  if (exclusiveMaximum !== undefined) highs.push(scale(exclusiveMaximum, decimals, "up") - 1n);
  return {
    low: lows.reduce((left, right) => (left > right ? left : right)),
    high: highs.reduce((left, right) => (left < right ? left : right)),
  };
}

/**
 * @param {number} value
 * @returns {{digits: bigint, exponent: number}} value = digits * 10 ** exponent, as the number is written
 */
function split(value) {
  const [, sign, head, tail = "", exponent] = /** @type {RegExpExecArray} */ (
    /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(value.toExponential())
  );
  return { digits: BigInt(sign + head + tail), exponent: Number(exponent) - tail.length };
}

/**
 * @param {number} value
 * @returns {number} after the point
 */
export function countDecimals(value) {
  return Math.max(0, -split(value).exponent);
}

/**
 * @param {number} value
 * @returns {boolean} whether it is not written more finely than a range can be
 */
export function isCoarse(value) {
  return countDecimals(value) <= finest;
}

/**
 * @param {number} value
 * @param {number} decimals
 * @param {"up" | "down"} direction
 * @returns {bigint} value * 10 ** decimals, rounded
 */
function scale(value, decimals, direction) {
  const { digits, exponent } = split(value);
  const shift = exponent + decimals;
  if (shift >= 0) return digits * 10n ** BigInt(Math.min(shift, 40));
  const unit = 10n ** BigInt(-shift);
  const toZero = digits / unit;
  if (toZero * unit === digits) return toZero;
  if (direction === "up") return digits > 0n ? toZero + 1n : toZero;
  return digits < 0n ? toZero - 1n : toZero;
}

/**
 * @param {{low: bigint, high: bigint}} bounds
 * @param {number} decimals
 * @returns {string[][]}
 */
function listDigits({ low, high }, decimals) {
  if (low > high) return [];
  const negative = low < 0n ? listLengths(high < 0n ? -high : 1n, -low, decimals) : [];
  const positive = high >= 0n ? listLengths(low > 0n ? low : 0n, high, decimals) : [];
  return [...negative.map((pattern) => ["-", ...pattern]), ...positive];
}

/**
 * @param {bigint} low  0 or more
 * @param {bigint} high
 * @param {number} decimals
 * @returns {string[][]}
 */
function listLengths(low, high, decimals) {
  const shortest = decimals + 1;
  const longest = Math.max(shortest, String(high).length);
  return Array.from({ length: longest - decimals }, (_, index) => shortest + index).flatMap((length) => {
    const least = length === shortest ? 0n : 10n ** BigInt(length - 1);
    const greatest = 10n ** BigInt(length) - 1n;
    const from = low > least ? low : least;
    const to = high < greatest ? high : greatest;
    return from <= to ? listBetween(pad(from, length), pad(to, length), decimals) : [];
  });
}

/**
 * @param {bigint} value
 * @param {number} length
 * @returns {string}
 */
function pad(value, length) {
  return String(value).padStart(length, "0");
}

/**
 * @param {string} low  digits
 * @param {string} high  as many digits, not less
 * @param {number} decimals  how many of the last are after the point
 * @returns {string[][]}
 */
function listBetween(low, high, decimals) {
  if (!low) return [[]];
  const [lows, highs] = [low.slice(1), high.slice(1)];
  const point = decimals && low.length === decimals ? ["."] : [];
  /** @param {string} first @param {string} from @param {string} to */
  const list = (first, from, to) => listBetween(from, to, decimals).map((rest) => [...point, first, ...rest]);
  const [zeros, nines] = ["0".repeat(lows.length), "9".repeat(lows.length)];
  if (lows === zeros && highs === nines)
    return list(takeDigits(low[0], high[0]), "", "").map((start) => [...start, ...listAny(lows.length, decimals)]);
  if (low[0] === high[0]) return list(low[0], lows, highs);
  const between = takeDigits(String(Number(low[0]) + 1), String(Number(high[0]) - 1));
  const middle = between ? [[...point, between, ...listAny(lows.length, decimals)]] : [];
  return [...list(low[0], lows, nines), ...middle, ...list(high[0], zeros, highs)];
}

/**
 * @param {string} from
 * @param {string} to
 * @returns {string} all digits from the one to the other
 */
function takeDigits(from, to) {
  return "0123456789".slice(Number(from), Number(to) + 1);
}

/**
 * @param {number} count  of digits left
 * @param {number} decimals
 * @returns {string[]}
 */
function listAny(count, decimals) {
  const digits = Array.from({ length: count }, () => takeDigits("0", "9"));
  return decimals && count >= decimals ? [...digits.slice(decimals), ".", ...digits.slice(0, decimals)] : digits;
}
