/** Image classification: draw something, or show a photo, and watch what the model makes of it. */

import { latestOnly } from "./kit/ui/latest.js";
import { openShell } from "./kit/ui/shell.js";
import { drawAnswer } from "./answer.js";
import { openPad } from "./draw.js";
import { openFrame } from "./photo.js";

/**
 * @typedef {object} ImageSource
 * @property {() => boolean} isEmpty whether there is nothing to look at
 * @property {() => boolean} isLive whether to look again as soon as the last answer is there
 * @property {() => ImageData | null} read what the model should look at now
 */

const shell = openShell();
const { samples = [], input } = shell.settings;

/** @type {ReturnType<typeof drawAnswer> | null} */
let answer = null;
let isReady = false;

const look = latestOnly(async () => {
  if (!answer || !isReady) return;
  const image = source.isEmpty() ? null : source.read();
  if (!image) return answer.clear();
  try {
    const { labels } = await shell.run({ image });
    // What was looked at may have been cleared away meanwhile.
    if (!source.isEmpty()) answer.show(labels);
  } catch (error) {
    return shell.showRunFailure(error, look);
  }
  if (source.isLive()) requestAnimationFrame(look);
});

/** @type {ImageSource} */
const source = input === "draw" ? openPad(samples, look) : openFrame(samples, look);

const loading = shell.load();
const manifest = await shell.readManifest();
if (manifest) answer = drawAnswer(manifest.settings.labels);
const model = await loading;
if (model) {
  Object.assign(window, { kit: model });
  isReady = true;
  look();
}
