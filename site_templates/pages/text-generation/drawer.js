/** A dialog at the side of the page: Escape and a press beside it close it. */

/**
 * @param {HTMLDialogElement} dialog
 * @param {HTMLButtonElement} opener
 */
export function makeDrawer(dialog, opener) {
  opener.addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("pointerdown", (event) => {
    // The backdrop belongs to the dialog, but lies outside its box.
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    const { clientX: x, clientY: y } = event;
    if (event.target === dialog && (x < left || x > right || y < top || y > bottom)) dialog.close();
  });
}
