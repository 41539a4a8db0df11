/** The room that an on-screen keyboard leaves: some browsers lay it over the page without saying so in CSS. */

/** Keeps `--app-height` right while a keyboard covers part of the page; without it the style sheet's 100dvh holds. */
export function watchKeyboard() {
  const view = window.visualViewport;
  if (!view) return;
  const { style } = document.documentElement;
  const fit = () => {
    // Pinching in makes the visual viewport small as well; the page stays as it is then.
    const isCovered = view.scale === 1 && view.height < window.innerHeight - 1;
    if (isCovered) style.setProperty("--app-height", `${view.height}px`);
    else style.removeProperty("--app-height");
    if (isCovered) window.scrollTo(0, 0);
  };
  view.addEventListener("resize", fit);
  fit();
}
