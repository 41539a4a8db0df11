/** Fields that grow with their text. */

/** Whether the style sheet alone does it, which spares measuring. */
export const FITS_ITSELF = CSS.supports("field-sizing", "content");

/** @param {HTMLTextAreaElement} field is made as high as its text, where the style sheet does not do it */
export function fitHeight(field) {
  if (FITS_ITSELF) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}
