// What operators have changed, the latest first.

import {ask} from "./adminapi.js";
import {element} from "./dom.js";
import {userLink} from "./fleet.js";
import {moment} from "./format.js";
import {Pages} from "./pages.js";

const pages = new Pages("audit", {
  ask: (mark) => ask(`/admin/v1/audit?limit=50${mark ? `&before=${encodeURIComponent(mark)}` : ""}`),
  items: ({entries}) => entries,
  row({time, who, action, subject, before, after, state}) {
    const cell = (label, content) => element("td", {"role": "cell", "data-label": label}, element("span", {}, content));
    return element("tr", {role: "row"},
      element("th", {role: "rowheader", scope: "row", class: "is-moment"}, element("time", {datetime: time}, moment(time))),
      cell("Who", who), cell("What", element("code", {}, action)), cell("To whom", subjectNode(action, subject)),
      cell("Before", text(before)), cell("After", state === "begun" ? "begun: it may be done or not" : text(after)));
  },
});

export const start = () => pages.start();
export const load = () => pages.load();
export const render = (page) => pages.render(page);

function subjectNode(action, subject) {
  if (subject === null) return "–";
  return /^(users|keys)\./.test(action) ? element("a", {class: "mono", href: userLink(subject)}, subject)
    : element("span", {class: "mono"}, subject);
}

const text = (value) => value === null ? "–" : element("span", {class: "mono"}, value);
