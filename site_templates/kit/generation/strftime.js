/** Python's strftime, as far as chat templates use it, in English and local time. */

const months = "January February March April May June July August September October November December".split(" ");
const days = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
const two = (/** @type {number} */ value) => String(value).padStart(2, "0");

/** @type {Record<string, (date: Date) => string>} */
const codes = {
  a: (date) => days[date.getDay()].slice(0, 3),
  A: (date) => days[date.getDay()],
  b: (date) => months[date.getMonth()].slice(0, 3),
  B: (date) => months[date.getMonth()],
  d: (date) => two(date.getDate()),
  H: (date) => two(date.getHours()),
  I: (date) => two(date.getHours() % 12 || 12),
  m: (date) => two(date.getMonth() + 1),
  M: (date) => two(date.getMinutes()),
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  S: (date) => two(date.getSeconds()),
  y: (date) => two(date.getFullYear() % 100),
  Y: (date) => String(date.getFullYear()),
  "%": () => "%",
};

/**
 * @param {Date} date
 * @param {string} format
 * @returns {string} codes that are not known stay as they are
 */
export function formatTime(date, format) {
  return format.replace(/%([a-zA-Z%])/g, (code, letter) =>
    Object.hasOwn(codes, letter) ? codes[letter](date) : code,
  );
}
