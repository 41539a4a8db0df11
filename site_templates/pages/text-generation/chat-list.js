/** The list of kept chats: beside the chat where there is room, in a drawer where there is not. */

import { find, make } from "./kit/ui/dom.js";
import { makeDrawer } from "./drawer.js";
import { makeIconButton } from "./icons.js";

/** @typedef {import("./conversations.js").Entry} Entry */

const WIDE = "(min-width: 961px)";

/**
 * @param {object} actions
 * @param {(id: string) => void} actions.open
 * @param {(id: string) => void} actions.remove
 * @param {() => void} actions.startNew
 * @returns {(entries: Entry[], current: string) => void} draws it anew
 */
export function drawChatList({ open, remove, startNew }) {
  const list = find("#chats-list", HTMLUListElement);
  const foot = find("#chats-foot", HTMLElement);
  const drawer = placeList();
  for (const button of document.querySelectorAll("[data-action='new']")) {
    button.addEventListener("click", () => {
      drawer.close();
      startNew();
    });
  }

  return (entries, current) => {
    const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
    list.replaceChildren(
      ...entries.map(({ id, name }) => {
        const here = id === current;
        const link = make("button", { type: "button", class: "chat-open", title: name, "aria-current": here && "true" }, name);
        link.addEventListener("click", () => {
          drawer.close();
          open(id);
        });
        return make("li", { class: here ? "is-current" : "" }, link, makeIconButton("remove", `Delete ${name}`, () => remove(id)));
      }),
    );
    foot.textContent = entries.length > 0 ? "Kept in this browser only." : "Your chats will be listed here, kept in this browser only.";
    const next = list.children[Math.min(focused, entries.length - 1)];
    if (focused >= 0 && next) next.querySelector("button")?.focus({ preventScroll: true });
  };
}

/** @returns {HTMLDialogElement} the drawer, whether or not the list is in it */
function placeList() {
  const drawer = find("#chats-drawer", HTMLDialogElement);
  const side = find("#side", HTMLElement);
  const chats = find("#chats", HTMLElement);
  makeDrawer(drawer, find("#chats-open", HTMLButtonElement));
  find("#chats-close", HTMLButtonElement).addEventListener("click", () => drawer.close());
  const wide = matchMedia(WIDE);
  const place = () => {
    if (wide.matches) drawer.close();
    (wide.matches ? side : drawer).append(chats);
  };
  wide.addEventListener("change", place);
  place();
  return drawer;
}
