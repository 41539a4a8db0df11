/** Answers that follow the typing: a short pause, then the newest input, and never two runs at once. */

import { latestOnly } from "./latest.js";

const PAUSE_MS = 180;

/** @typedef {import("./shell.js").Shell} Shell */

/**
 * @template {Record<string, any>} Input
 * @param {Shell} shell
 * @param {object} page
 * @param {() => Input | null} page.read the input for the model as it is now; null while there is nothing to ask
 * @param {(answer: import("../types.js").Answer, input: Input) => void} page.show may ask again
 * @returns {{ask: () => void, askSoon: () => void, start: () => Promise<import("./shell.js").Model | null>}}
 */
export function answerLive(shell, { read, show }) {
  let isReady = false;
  let answered = "";
  let timer = 0;

  const ask = latestOnly(async () => {
    const input = isReady ? read() : null;
    const key = JSON.stringify(input);
    if (!input || key === answered) return;
    try {
      const answer = await shell.run(input);
      answered = key;
      show(answer, input);
    } catch (error) {
      await shell.showRunFailure(error, ask);
    }
  });

  return {
    ask,
    askSoon() {
      clearTimeout(timer);
      timer = window.setTimeout(ask, PAUSE_MS);
    },
    async start() {
      const model = await shell.load();
      if (!model) return null;
      Object.assign(window, { kit: model });
      isReady = true;
      ask();
      return model;
    },
  };
}
