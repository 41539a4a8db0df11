/** npm's packages for the tests: they lie in site_templates, where Node does not look for them from here. */

const root = new URL("../../site_templates/node_modules/", import.meta.url);

/** @type {typeof import("../../site_templates/node_modules/@huggingface/tokenizers")} */
export const tokenizers = await import(new URL("@huggingface/tokenizers/dist/tokenizers.mjs", root).href);

/** @type {typeof import("../../site_templates/node_modules/@huggingface/jinja")} */
export const jinja = await import(new URL("@huggingface/jinja/dist/index.js", root).href);

// The grammar engine asks where it lies, as a worker knows it.
/** @type {any} */ (globalThis).location ??= { href: root.href };
await import(new URL("@mlc-ai/web-xgrammar/lib/index.js", root).href);
/** @type {typeof import("../../site_templates/node_modules/@mlc-ai/web-xgrammar")} */
export const xgrammar = /** @type {any} */ (globalThis).xgrammar;

const { default: ajv } = await import(new URL("ajv/dist/2020.js", root).href);
/** @type {(schema: unknown) => (value: unknown) => boolean} */
export const compileSchema = (schema) => new ajv.default({ strict: false, validateFormats: false }).compile(schema);
