/** The page that is shown photos: drop, paste, choose, sample, or the camera, live. */

import { find } from "./kit/ui/dom.js";
import { CameraError, closeCamera, openCamera } from "./camera.js";
import { decodePicture, drawPicture, openReadable, PictureError } from "./picture.js";
import { offerSamples } from "./samples.js";

/**
 * @param {{path: string, label: string}[]} samples
 * @param {() => void} onChange
 * @returns {import("./main.js").ImageSource}
 */
export function openFrame(samples, onChange) {
  const preview = find("#preview", HTMLCanvasElement);
  const video = find("#camera", HTMLVideoElement);
  const problem = find("#problem", HTMLElement);
  const context = openReadable(preview);
  const still = openReadable(document.createElement("canvas"));
  const live = watchCamera(video, problem, onChange);
  /** @type {ImageData | null} */
  let image = null;

  /** @param {CanvasImageSource} source @param {number} width @param {number} height @param {string} words */
  const show = (source, width, height, words) => {
    live.stop();
    problem.textContent = "";
    image = drawPicture(context, source, width, height);
    preview.hidden = false;
    preview.setAttribute("aria-label", words);
    find("#frame-empty", HTMLElement).hidden = true;
    onChange();
  };
  takeFiles(async (file) => {
    try {
      const bitmap = await decodePicture(file);
      show(bitmap, bitmap.width, bitmap.height, file instanceof File && file.name ? `Picture ${file.name}` : "Your picture");
      bitmap.close();
    } catch (error) {
      if (!(error instanceof PictureError)) throw error;
      problem.textContent = error.message;
    }
  });
  offerSamples(samples, (sample, label) => show(sample, sample.naturalWidth, sample.naturalHeight, `Sample: ${label}`));

  return {
    isEmpty: () => !live.isOn() && !image,
    isLive: live.isOn,
    read: () => (live.isOn() ? drawPicture(still, video, video.videoWidth, video.videoHeight) : image),
  };
}

/**
 * @param {HTMLVideoElement} video
 * @param {HTMLElement} problem
 * @param {() => void} onChange
 * @returns {{isOn: () => boolean, stop: () => void}}
 */
function watchCamera(video, problem, onChange) {
  const button = find("#camera-toggle", HTMLButtonElement);
  const words = find("span", HTMLElement, button);
  let isOn = false;
  /** @param {boolean} on */
  const set = (on) => {
    isOn = on;
    video.hidden = !on;
    find("#frame-live", HTMLElement).hidden = !on;
    words.textContent = on ? "Stop" : "Camera";
  };
  const stop = () => {
    if (!isOn) return;
    closeCamera(video);
    set(false);
    onChange();
  };
  button.addEventListener("click", async () => {
    if (isOn) return stop();
    problem.textContent = "";
    button.disabled = true;
    try {
      await openCamera(video, stop);
      set(true);
      onChange();
    } catch (error) {
      if (!(error instanceof CameraError)) throw error;
      problem.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  });
  return { isOn: () => isOn, stop };
}

/**
 * Files come from the chooser, from the clipboard, or are dropped anywhere on the page.
 *
 * @param {(file: File) => void} onFile
 */
function takeFiles(onFile) {
  const chooser = find("#file", HTMLInputElement);
  const frame = find("#frame", HTMLElement);
  /** @param {FileList | undefined | null} files */
  const take = (files) => {
    const file = files && ([...files].find((each) => each.type.startsWith("image/")) ?? files[0]);
    if (file) onFile(file);
  };
  chooser.addEventListener("change", () => {
    take(chooser.files);
    chooser.value = "";
  });
  document.addEventListener("paste", (event) => take(event.clipboardData?.files));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    frame.classList.add("is-over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) frame.classList.remove("is-over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    frame.classList.remove("is-over");
    take(event.dataTransfer?.files);
  });
}
