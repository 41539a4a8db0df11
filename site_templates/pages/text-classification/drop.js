/** A file from the visitor: chosen, or dropped anywhere on the page. */

/**
 * @param {HTMLElement} target is marked while a file is over the page
 * @param {HTMLInputElement} input
 * @param {(file: File) => void} take
 */
export function takeFile(target, input, take) {
  input.addEventListener("change", () => {
    const [file] = input.files ?? [];
    if (file) take(file);
    // The same file chosen again is a choice, too.
    input.value = "";
  });
  /** @param {DragEvent} event */
  const holdsFile = (event) => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragover", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    target.classList.add("is-over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) target.classList.remove("is-over");
  });
  addEventListener("drop", (event) => {
    target.classList.remove("is-over");
    if (!holdsFile(event)) return;
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  });
}
