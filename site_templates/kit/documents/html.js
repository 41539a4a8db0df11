/**
 * The text of an HTML file. The browser parses it without running or fetching anything in it. `webgpu_kit/index/html_text.py`
 * does the same.
 */

const left = "title, script, style, noscript, template, nav, svg, iframe, object, select, textarea, [hidden], [aria-hidden=true]";
const blocks = new Set(
  "ADDRESS ARTICLE ASIDE BLOCKQUOTE DD DIV DL DT FIGCAPTION FIGURE FOOTER HEADER HR LI MAIN OL P PRE SECTION TABLE TR UL".split(" "),
);

/**
 * @param {string} html
 * @returns {string} paragraphs with a blank line between them, headings as Markdown has them
 */
export function extractText(html) {
  // The browser would hold each style against this page's policy, aloud: elements not in a template, attributes also there.
  const unstyled = html.replace(/<[a-z][^<>]*>/gi, (tag) => tag.replace(/\sstyle(?=\s*=)/gi, " data-style"));
  const { content } = Object.assign(document.createElement("template"), { innerHTML: unstyled });
  const heading = content.querySelector("title")?.textContent?.replace(/\s+/g, " ").trim();
  for (const element of content.querySelectorAll(left)) element.remove();
  /** @type {string[]} */
  const parts = [];
  for (const child of content.childNodes) collect(child, parts);
  const title = heading && !content.querySelector("h1") ? `# ${heading}\n\n` : "";
  const lines = parts.join("").split("\n").map((line) => line.replace(/[ \t\u00a0]+/g, " ").trim());
  return title + lines.join("\n").replace(/\n{3,}/g, "\n\n").trim();
}

/**
 * @param {Node} node
 * @param {string[]} parts
 */
function collect(node, parts) {
  if (node instanceof Text) {
    parts.push(node.parentElement?.closest("pre") ? node.data : node.data.replace(/\s+/g, " "));
    return;
  }
  if (!(node instanceof Element)) return;
  const heading = /^H([1-6])$/.exec(node.tagName);
  if (node.tagName === "BR") parts.push("\n");
  else if (node.tagName === "TD" || node.tagName === "TH") parts.push(" ");
  if (heading) parts.push(`\n\n${"#".repeat(Number(heading[1]))} ${node.textContent?.replace(/\s+/g, " ").trim()}\n\n`);
  else {
    if (blocks.has(node.tagName)) parts.push(node.tagName === "LI" ? "\n- " : "\n\n");
    for (const child of node.childNodes) collect(child, parts);
    if (blocks.has(node.tagName)) parts.push(node.tagName === "LI" ? "\n" : "\n\n");
  }
}
