/** Pictures of any origin, brought to a canvas that is small enough to read. */

/** Longest side in pixels that goes to the model; graphs shrink it further themselves. */
const LONGEST_SIDE = 1024;

/** A file that cannot be shown, with words for the visitor. */
export class PictureError extends Error {}

/**
 * @param {Blob} file
 * @returns {Promise<ImageBitmap>} turned as its EXIF orientation says
 */
export async function decodePicture(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch (error) {
    const name = file instanceof File && file.name ? `“${file.name}”` : "This file";
    throw new PictureError(`${name} is not a picture this browser can read. PNG, JPEG, WebP, GIF and AVIF work.`, { cause: error });
  }
}

/**
 * @param {CanvasRenderingContext2D} context its canvas takes the picture's shape
 * @param {CanvasImageSource} source
 * @param {number} width of the source in pixels
 * @param {number} height
 * @returns {ImageData}
 */
export function drawPicture(context, source, width, height) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  const { canvas } = context;
  const shownWidth = Math.max(1, Math.round(width * scale));
  const shownHeight = Math.max(1, Math.round(height * scale));
  if (canvas.width !== shownWidth) canvas.width = shownWidth;
  if (canvas.height !== shownHeight) canvas.height = shownHeight;
  context.imageSmoothingQuality = "high";
  // Transparent pictures lie on white, as a viewer would show them.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, shownWidth, shownHeight);
  context.drawImage(source, 0, 0, shownWidth, shownHeight);
  return context.getImageData(0, 0, shownWidth, shownHeight);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D} whose pixels are read often
 */
export function openReadable(canvas) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This browser gives no 2D canvas to draw on.");
  return context;
}
