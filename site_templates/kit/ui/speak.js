/** Says an answer to those who listen, once it has stood for a moment: not every one while somebody types. */

const SPEAK_AFTER_MS = 900;

/**
 * @param {HTMLElement} region with the role of a status
 * @returns {(words: string) => void}
 */
export function speakLater(region) {
  let timer = 0;
  return (words) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => (region.textContent = words), SPEAK_AFTER_MS);
  };
}
