// What is configured, and where that was said.

import {ask} from "./adminapi.js";
import {element, setText} from "./dom.js";
import {fillTable} from "./rows.js";

export const start = () => {};
export const load = () => ask("/admin/v1/config");

export function render({settings}) {
  fillTable("setting", settings, "Nothing is configured.", {
    key: ({name}) => name,
    make: ({name}) => element("tr", {role: "row"}, element("th", {role: "rowheader", scope: "row", class: "mono"}, name),
      element("td", {"role": "cell", "data-label": "Value"}, element("span", {class: "mono"})),
      element("td", {"role": "cell", "data-label": "From"}, element("span"))),
    update: (row, {value, source}) => {
      setText(row.children[1].firstChild, value ?? "–");
      setText(row.children[2].firstChild, source ?? "as it comes");
    },
  });
}
