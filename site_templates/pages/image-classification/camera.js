/** The visitor's camera, opened only by their click. */

/** A camera that cannot be used, with words for the visitor. */
export class CameraError extends Error {}

/** @type {Record<string, string>} */
const REASONS = {
  NotAllowedError: "The camera is blocked for this page. Allow it in the browser's address bar, then try again.",
  NotFoundError: "No camera was found on this device.",
  NotReadableError: "The camera is being used by another program. Close that one, then try again.",
  OverconstrainedError: "This device's camera gives no picture that fits.",
  AbortError: "The camera stopped before it gave a picture.",
};

/**
 * @param {HTMLVideoElement} video
 * @param {() => void} onEnd called when the camera goes away by itself
 * @returns {Promise<void>} once there is a picture
 */
export async function openCamera(video, onEnd) {
  if (!navigator.mediaDevices) throw new CameraError("This page may not use a camera: that takes an https address, or localhost.");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 } } });
    for (const track of stream.getTracks()) track.addEventListener("ended", onEnd);
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    closeCamera(video);
    const name = error instanceof Error ? error.name : "";
    throw new CameraError(REASONS[name] ?? `The camera could not be started (${name || String(error)}).`, { cause: error });
  }
}

/** @param {HTMLVideoElement} video */
export function closeCamera(video) {
  if (video.srcObject instanceof MediaStream) {
    for (const track of video.srcObject.getTracks()) track.stop();
  }
  video.srcObject = null;
}
