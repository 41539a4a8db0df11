/** Numbers as people read them: bytes, times, shares, counts. */

/**
 * @param {number} bytes
 * @returns {string} for example "33.5 MB" (decimal units, as download managers show them)
 */
export function formatBytes(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(value < 100 ? 1 : 0)} ${units[unit]}`;
}

/**
 * @param {number} bytes
 * @param {number} totalBytes
 * @returns {string} for example "15.1 of 33.5 MB"
 */
export function formatPart(bytes, totalBytes) {
  const [amount, unit] = formatBytes(bytes).split(" ");
  const total = formatBytes(totalBytes);
  return total.endsWith(` ${unit}`) ? `${amount} of ${total}` : `${amount} ${unit} of ${total}`;
}

/**
 * @param {number} timeMs
 * @returns {string} for example "3.2 ms", "41 ms", "1.60 s"
 */
export function formatTime(timeMs) {
  if (timeMs < 10) return `${timeMs.toFixed(1)} ms`;
  if (timeMs < 999.5) return `${Math.round(timeMs)} ms`;
  return `${(timeMs / 1000).toFixed(timeMs < 99_500 ? 2 : 0)} s`;
}

/**
 * @param {number} seconds
 * @returns {string} for example "5 s left", "2 min left"
 */
export function formatRemaining(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 1) return "almost there";
  return seconds < 90 ? `${Math.ceil(seconds)} s left` : `${Math.round(seconds / 60)} min left`;
}

/**
 * @param {number} share 0 to 1
 * @returns {string} one decimal, and never "100 %" or "0 %" for something that is not
 */
export function formatShare(share) {
  const percent = share * 100;
  if (percent > 99.9 && percent < 100) return "> 99.9 %";
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  return `${percent.toFixed(percent === 100 ? 0 : 1)} %`;
}

/**
 * @param {number} count
 * @param {string} noun in the singular
 * @returns {string} for example "1 value", "1,200 values"
 */
export function formatCount(count, noun) {
  return `${groupDigits(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * @param {number} count
 * @returns {string} for example "1,200"
 */
export function groupDigits(count) {
  // Not toLocaleString: its first use costs 16 ms of start-up, for these commas.
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/**
 * @param {number} value
 * @returns {string} at most six significant digits
 */
export function formatNumber(value) {
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(3) : String(Number(value.toPrecision(6)));
}

/** @param {string} backend @returns {string} its name as people write it */
export function nameBackend(backend) {
  return backend === "webgpu" ? "WebGPU" : backend;
}

/**
 * @param {number | null} similarity
 * @returns {string} two decimals, with a real minus sign
 */
export function formatSimilarity(similarity) {
  if (similarity === null) return "·";
  const text = similarity.toFixed(2);
  return text === "-0.00" ? "0.00" : text.replace("-", "−");
}
