/** The scroll position follows what is newest, until the reader scrolls up; a button leads back down. */

/** Closer to the end than this is at the end. */
const NEAR_PX = 12;
/** From here on a way back down is worth a button. */
const FAR_PX = 160;

/**
 * @param {HTMLElement} scroller
 * @param {HTMLElement} content
 * @param {HTMLButtonElement} button
 * @returns {() => void} go to the end and follow from there
 */
export function followNewest(scroller, content, button) {
  let isFollowing = true;
  let lastTop = 0;
  let lastHeight = 0;
  const distance = () => scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
  const settle = () => {
    // What greets the reader is read from the top.
    if (isFollowing && content.querySelector(".turn")) scroller.scrollTop = scroller.scrollHeight;
    button.hidden = isFollowing || distance() < FAR_PX;
  };

  scroller.addEventListener("scroll", () => {
    const { scrollTop, scrollHeight } = scroller;
    // Content that became shorter moves the position too: that is not the reader.
    const wentUp = scrollTop < lastTop - 1 && scrollHeight >= lastHeight;
    if (distance() < NEAR_PX) isFollowing = true;
    else if (wentUp) isFollowing = false;
    lastTop = scrollTop;
    lastHeight = scrollHeight;
    button.hidden = isFollowing || distance() < FAR_PX;
  }, { passive: true });
  // Both what is in it and the room for it change: an answer grows, a keyboard opens.
  const sizes = new ResizeObserver(settle);
  sizes.observe(content);
  sizes.observe(scroller);

  const jump = () => {
    isFollowing = true;
    settle();
  };
  button.addEventListener("click", () => {
    jump();
    scroller.focus({ preventScroll: true });
  });
  return jump;
}
