/** npm's packages for the tests: they lie in site_templates, where Node does not look for them from here. */

const root = new URL("../../site_templates/node_modules/", import.meta.url);

/** @type {typeof import("../../site_templates/node_modules/@huggingface/tokenizers")} */
export const tokenizers = await import(new URL("@huggingface/tokenizers/dist/tokenizers.mjs", root).href);

/** @type {typeof import("../../site_templates/node_modules/@huggingface/jinja")} */
export const jinja = await import(new URL("@huggingface/jinja/dist/index.js", root).href);
