/**
 * Markdown from a model, which nobody has vetted, as elements that can do no harm. HTML in it is shown as text, links
 * open elsewhere, pictures are named instead of fetched; what is left goes through a sanitizer all the same.
 */

import { make } from "./kit/ui/dom.js";

/** @typedef {typeof import("marked")} MarkedModule */
/** @typedef {import("dompurify").DOMPurify} Purifier */
/** @typedef {import("marked").Token} Token */

const RUNTIME = "./runtime/";

/** Paragraphs are cut at this length, and what cannot be cut is shown as it is: looking for emphasis in it takes too long. */
const LONGEST_INLINE = 4_000;

/** Quotes and lists in one another, so deep that no reader follows; parsing them takes time without bounds. */
const TOO_DEEP = /^(?:[ \t]{40,}(?:[-*+]|\d{1,9}[.)])[ \t]|(?:[ \t]*(?:>|(?:[-*+]|\d{1,9}[.)])[ \t])){20})/m;
const FENCE = /^ {0,3}(?:```|~~~)/;

/** Headings of an answer come below those of the page. */
const HEADINGS_ABOVE = 3;

const SAFE_ADDRESS = /^(?:https?:\/\/|mailto:)/i;

/** @type {import("dompurify").Config & {RETURN_DOM_FRAGMENT: true}} */
const ALLOWED = {
  ALLOWED_TAGS: [
    ...["p", "br", "hr", "h4", "h5", "h6", "strong", "em", "del", "code", "pre", "a", "ul", "ol", "li", "blockquote"],
    ...["table", "thead", "tbody", "tr", "th", "td"],
  ],
  ALLOWED_ATTR: ["href", "title", "start", "align", "data-language", "data-task"],
  // The sanitizer would hold their values, too, against what an address may look like.
  ADD_URI_SAFE_ATTR: ["title", "start", "align", "data-language", "data-task"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: SAFE_ADDRESS,
  RETURN_DOM_FRAGMENT: true,
};

/**
 * Load the renderer and the sanitizer from the site's own runtime folder.
 *
 * @returns {Promise<Markdown>}
 */
export async function loadMarkdown() {
  const response = await fetch(`${RUNTIME}runtime.json`);
  if (!response.ok) throw new Error(`${response.url}: the server answered ${response.status}.`);
  const runtime = await response.json();
  const [marked, { default: purify }] = await Promise.all([
    import(new URL(RUNTIME + runtime.marked, document.baseURI).href),
    import(new URL(RUNTIME + runtime.dompurify, document.baseURI).href),
  ]);
  return new Markdown(marked, purify);
}

/** Turns text into blocks, and blocks into elements. */
export class Markdown {
  #marked;
  #parser;
  #purify;

  /** @param {MarkedModule} module @param {Purifier} purify */
  constructor(module, purify) {
    this.#marked = module;
    this.#purify = purify;
    const { defaults } = new module.Marked({ gfm: true, breaks: true, tokenizer: TOKENIZER, renderer: makeRenderer() });
    this.options = defaults;
    this.#parser = new module.Parser(defaults);
    purify.addHook("afterSanitizeAttributes", openElsewhere);
  }

  /** @param {string} text with plain line ends @returns {Token[]} its top-level blocks */
  split(text) {
    if (TOO_DEEP.test(text) && !FENCE.test(text)) return [{ type: "code", raw: text, text }];
    const lexer = new this.#marked.Lexer(this.options);
    const blocks = lexer.blockTokens(text, lexer.tokens).flatMap((block) => cutParagraph(block, lexer.inlineQueue));
    for (const { src, tokens } of lexer.inlineQueue) {
      if (src.length <= LONGEST_INLINE) lexer.inlineTokens(src, tokens);
      else tokens.push({ type: "text", raw: src, text: src, escaped: false });
    }
    return blocks;
  }

  /** @param {Token} block @returns {Node[]} elements, ready for the page */
  render(block) {
    const fragment = this.#purify.sanitize(this.#parser.parse([block]), ALLOWED);
    for (const table of fragment.querySelectorAll("table")) frameTable(table);
    for (const pre of fragment.querySelectorAll("pre")) frameCode(pre);
    return [...fragment.childNodes];
  }
}

/**
 * Tags are not recognised, so they stay text; but models write <br> into tables.
 *
 * @type {import("marked").TokenizerObject}
 */
const TOKENIZER = {
  html: () => undefined,
  tag(source) {
    const [raw] = /^<br *\/?>/i.exec(source) ?? [];
    // Typed for tags alone; the lexer takes any token.
    return raw ? /** @type {any} */ ({ type: "br", raw }) : undefined;
  },
};

/** @returns {import("marked").RendererObject} */
function makeRenderer() {
  return {
    heading({ tokens, depth }) {
      const level = Math.min(6, depth + HEADINGS_ABOVE);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    code({ text, lang }) {
      const [language] = (lang ?? "").trim().split(/\s/, 1);
      return `<pre data-language="${escapeHtml(language)}"><code>${escapeHtml(text)}</code></pre>`;
    },
    image({ href, text }) {
      const words = escapeHtml(`Image: ${text || href}`);
      return SAFE_ADDRESS.test(href) ? `<a href="${escapeHtml(href)}">${words}</a>` : words;
    },
    listitem({ task, tokens }) {
      return `<li${task ? ' data-task=""' : ""}>${this.parser.parse(tokens)}</li>`;
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  };
}

/**
 * @param {Token} block
 * @param {{src: string, tokens: Token[]}[]} queue gets the text of the pieces
 * @returns {Token[]} itself, or a long paragraph as several
 */
function cutParagraph(block, queue) {
  if (block.type !== "paragraph" || block.raw.length <= LONGEST_INLINE) return [block];
  const pieces = [];
  for (let rest = block.raw; rest; rest = rest.slice(pieces[pieces.length - 1].raw.length)) {
    const piece = rest.slice(0, LONGEST_INLINE);
    const space = rest.length > LONGEST_INLINE ? piece.search(/\s\S{0,200}$/) : -1;
    const raw = space > 0 ? piece.slice(0, space + 1) : piece;
    /** @type {Token[]} */
    const tokens = [];
    pieces.push({ type: "paragraph", raw, text: raw, tokens });
    queue.push({ src: raw.trim(), tokens });
  }
  return pieces;
}

/** @param {string} text @returns {string} */
function escapeHtml(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** @param {Element} node */
function openElsewhere(node) {
  if (node.localName !== "a" || !node.hasAttribute("href")) return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer");
}

/** @param {Element} table put into a frame of its own that scrolls sideways */
function frameTable(table) {
  const frame = make("div", { class: "table-frame", tabindex: 0, role: "region", "aria-label": "Table" });
  table.replaceWith(frame);
  frame.append(table);
}

/** @param {Element} pre given a head with its language and a button that copies it */
function frameCode(pre) {
  const language = pre.getAttribute("data-language") || "text";
  const copy = make("button", { type: "button", class: "button button-quiet", "data-copy": "code" }, "Copy");
  const head = make("div", { class: "code-head" }, make("span", {}, language), copy);
  const frame = make("div", { class: "code-frame" }, head);
  pre.replaceWith(frame);
  pre.setAttribute("tabindex", "0");
  frame.append(pre);
}
