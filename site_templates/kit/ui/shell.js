/** What every page has around its own content: settings, loading panel, failure panel, status strip. */

import { load } from "../kit.js";
import { find } from "./dom.js";
import { drawFailure } from "./failure.js";
import { drawLoading } from "./loading.js";
import { drawStrip } from "./strip.js";

/** @typedef {Awaited<ReturnType<typeof load>>} Model the loaded model, as kit.js gives it */
/** @typedef {import("../types.js").Manifest} Manifest */
/** @typedef {Parameters<Model["run"]>[0]} Input task-shaped */
/** @typedef {import("../types.js").Answer} Answer task-shaped, with `outputs` and `timeMs` */
/** @typedef {{code?: string, message: string, attempts?: import("../types.js").Attempt[]}} Failure */

/**
 * @typedef {object} Settings
 * @property {string} manifest address of the manifest, from the page
 * @property {string} title
 * @property {string} [name]
 * @property {string} [system_prompt]
 * @property {"draw" | "photo"} [input]
 * @property {{path: string, label: string}[]} [samples]
 * @property {string[]} [sentences]
 * @property {string[]} [prompts]
 * @property {Record<string, number[]>} [shapes]
 * @property {Record<string, any>[]} [examples] inputs, task-shaped: the page starts with the first
 * @property {string[]} [labels] what a classifier can answer
 * @property {string} [mask_token] what stands for a missing word
 */

/**
 * @typedef {object} Shell
 * @property {Settings} settings
 * @property {() => Promise<Manifest | null>} readManifest for what can be shown before the model is here
 * @property {() => Promise<Model | null>} load null after a failure, which the visitor has been shown
 * @property {(input: Input) => Promise<Answer>} run notes the time; a failure is noted too, and thrown on
 * @property {(error: unknown, retry: () => void) => Promise<void>} showRunFailure in place of the answers, until a run works
 * @property {(error: unknown) => void} noteFailure in the strip, for a page that has a place of its own for the rest
 * @property {ReturnType<typeof drawStrip>["showWork"]} showWork
 * @property {ReturnType<typeof drawStrip>["showFigures"]} showFigures
 */

/**
 * @param {(settings: any) => string} [chooseManifest]  for a page with several models: the address of the one to begin with
 * @returns {Shell}
 */
export function openShell(chooseManifest) {
  /** @type {Settings} */
  const settings = JSON.parse(find("#kit-settings", HTMLScriptElement).textContent ?? "{}");
  if (chooseManifest) settings.manifest = chooseManifest(settings);
  const panel = find("#kit-panel", HTMLElement);
  const strip = drawStrip(find("#kit-strip", HTMLElement));
  const manifest = fetchManifest(settings.manifest);
  void manifest.then((found) => found && strip.describe(found));
  /** @type {Model | null} */
  let model = null;

  const showAnswers = () => {
    panel.hidden = true;
    document.documentElement.classList.add("is-ready");
  };
  /** @param {string} title @param {unknown} error @param {() => void} retry */
  const fail = async (title, error, retry) => {
    document.documentElement.classList.remove("is-ready");
    drawFailure(panel, { title, failure: asFailure(error), retry, manifest: await manifest });
    strip.showFailure(asFailure(error));
  };

  return {
    settings,
    readManifest: () => manifest,
    async load() {
      const loading = drawLoading(panel);
      try {
        model = await load(settings.manifest, {
          onProgress(progress) {
            // A model that lost its GPU loads itself again, after which `ready` comes a second time.
            if (model && progress.stage === "ready") return strip.showModel(model);
            loading.show(progress);
            strip.showProgress(progress);
          },
        });
      } catch (error) {
        await fail("The model could not start", error, () => location.reload());
        return null;
      }
      showAnswers();
      strip.showModel(model);
      return model;
    },
    async run(input) {
      if (!model) throw new Error("The model is not ready.");
      try {
        const answer = await model.run(input);
        showAnswers();
        strip.showRun(answer.timeMs);
        return answer;
      } catch (error) {
        strip.showFailure(asFailure(error));
        throw error;
      }
    },
    showRunFailure: (error, retry) => fail("That did not work", error, retry),
    noteFailure: (error) => strip.showFailure(asFailure(error)),
    showWork: strip.showWork,
    showFigures: strip.showFigures,
  };
}

/**
 * The page may show names and shapes before the model is there; `load` reports a manifest that is missing.
 *
 * @param {string} address
 * @returns {Promise<Manifest | null>}
 */
async function fetchManifest(address) {
  try {
    const response = await fetch(address);
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/** @param {unknown} error @returns {Failure} */
function asFailure(error) {
  return error instanceof Error ? error : { message: String(error) };
}
