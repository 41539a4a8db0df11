/**
 * Multiples of a number, told digit by digit: of what was written so far only the remainder matters.
 *
 * @typedef {object} Tally  what decides about a text beyond its places
 * @property {string} key  the same for those that decide alike
 * @property {boolean} fits  whether the text may end here
 * @property {(character: string) => Tally} take  after one more character
 */

/** A number whose multiples have more remainders than this has too many rules. */
const mostRemainders = 100_000;
/** Up to here it is worth while to find those that come to the same. */
const mostMerged = 5000;

/** Every text fits. @type {Tally} */
export const anything = { key: "", fits: true, take: () => anything };

/**
 * Of fractions only those are kept to that a double holds exactly: of others, such as 0.01, validators that divide
 * doubles refuse true multiples.
 * @param {number} factor
 * @param {number} decimals  of the number, as it is written
 * @returns {string} what speaks against it, "" for nothing
 */
export function findMultipleFault(factor, decimals) {
  if (factor <= 0) return `must be more than 0, not ${factor}`;
  if (!Number.isInteger(factor * 2 ** decimals)) {
    return `is ${factor}, which binary fractions cannot hold: validators disagree on its multiples; count in whole units`;
  }
  return factor * 10 ** decimals <= mostRemainders ? "" : `is ${factor}, which is too large or too fine to be kept to`;
}

/**
 * @param {number} factor  without a fault
 * @param {number} decimals  how many the texts have that have any: at least as many as the factor
 * @returns {Tally} texts of digits that are multiples of the factor
 */
export function countMultiples(factor, decimals) {
  const unit = 10 ** decimals;
  const divisor = Math.round(factor * unit);
  const after = makeTallies(divisor, 1, null);
  return decimals ? makeTallies(divisor, unit, after)(0) : after(0);
}

/**
 * @param {number} divisor
 * @param {number} unit  what 1 of the digits so far is worth in units of the divisor, should the text end here
 * @param {((remainder: number) => Tally) | null} after  the decimal point
 * @returns {(remainder: number) => Tally}
 */
function makeTallies(divisor, unit, after) {
  const classes = divisor <= mostMerged ? mergeRemainders(divisor, unit, after) : null;
  /** @type {(remainder: number) => Tally} */
  const make = (exact) => {
    const remainder = classes ? classes[exact] : exact;
    return {
      key: `${divisor} ${unit} ${remainder}`,
      fits: (remainder * unit) % divisor === 0,
      take(character) {
        if (character === "-") return this;
        if (character === "." && after) return after(remainder);
        return make((remainder * 10 + Number(character)) % divisor);
      },
    };
  };
  return make;
}

/**
 * @param {number} divisor
 * @param {number} unit
 * @param {((remainder: number) => Tally) | null} after
 * @returns {number[]} for each remainder the least of those that every continuation makes fit, or not, as it does
 */
function mergeRemainders(divisor, unit, after) {
  const all = Array.from({ length: divisor }, (_, remainder) => remainder);
  let groups = all.map((remainder) => `${(remainder * unit) % divisor === 0} ${after?.(remainder).key ?? ""}`);
  for (let count = 0; ; ) {
    /** @type {Map<string, number>} */
    const leasts = new Map();
    const classes = groups.map((group, remainder) => {
      if (!leasts.has(group)) leasts.set(group, remainder);
      return /** @type {number} */ (leasts.get(group));
    });
    if (leasts.size === count) return classes;
    count = leasts.size;
    groups = all.map((remainder) => {
      const next = Array.from({ length: 10 }, (_, digit) => classes[(remainder * 10 + digit) % divisor]);
      return `${classes[remainder]} ${next.join(" ")}`;
    });
  }
}
