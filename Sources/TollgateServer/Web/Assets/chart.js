// Calls of the last 30 days: bars stacked by route, one day at a time in words, and all of it as a table.

import {byId, element, setAttribute, setText, shape, show} from "./dom.js";
import {calls, compactNumber, day, number, shortDay} from "./format.js";

const height = 200;
const margin = {top: 10, right: 0, bottom: 24, left: 40};
const maximumSeries = 6;

let drawn = {days: [], series: [], totals: []};
let known = null;
let chosen = null;

/// Draws only when the figures have changed.
export function showHistory(history) {
  const text = JSON.stringify(history);
  if (text === known) return;
  known = text;
  drawn = {days: history.days, series: seriesOf(history.routes), totals: totalsOf(history)};
  const hasCalls = drawn.totals.some((total) => total > 0);
  show(byId("chart"), hasCalls);
  show(byId("chart-empty"), !hasCalls);
  if (!hasCalls) return setText(byId("chart-day"), "");
  draw();
  showLegend();
  showTable();
  tell();
}

export function prepareChart() {
  const area = byId("chart-days");
  new ResizeObserver(() => { if (drawn.series.length > 0) draw(); }).observe(area);
  area.addEventListener("pointermove", (event) => choose(dayAt(event.clientX)));
  area.addEventListener("pointerdown", (event) => choose(dayAt(event.clientX)));
  area.addEventListener("pointerleave", () => { if (document.activeElement !== area) choose(null); });
  area.addEventListener("focus", () => { if (chosen === null) choose(drawn.days.length - 1); });
  area.addEventListener("blur", () => choose(null));
  area.addEventListener("keydown", step);
}

/// The busiest routes each have a colour, the others share one.
function seriesOf(routes) {
  if (routes.length <= maximumSeries) return routes;
  const [shown, others] = [routes.slice(0, maximumSeries - 1), routes.slice(maximumSeries - 1)];
  const sums = shown[0].calls.map((_, place) => others.reduce((sum, route) => sum + route.calls[place], 0));
  return [...shown, {name: `${number(others.length)} others`, calls: sums}];
}

const totalsOf = ({days, routes}) =>
  days.map((_, place) => routes.reduce((sum, route) => sum + route.calls[place], 0));

// Choosing a day

function step(event) {
  const last = drawn.days.length - 1;
  const steps = {
    ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -7, PageUp: 7, Home: -last, End: last,
  };
  if (!(event.key in steps)) return;
  event.preventDefault();
  choose(Math.min(last, Math.max(0, (chosen ?? last) + steps[event.key])));
}

function choose(place) {
  chosen = place;
  tell();
  for (const [index, band] of byId("chart-days").querySelectorAll(".chart-band").entries()) {
    band.classList.toggle("is-chosen", index === place);
  }
}

function dayAt(clientX) {
  const {left, width} = byId("chart-days").getBoundingClientRect();
  const inside = (clientX - left - margin.left) / (width - margin.left - margin.right);
  return Math.min(drawn.days.length - 1, Math.max(0, Math.floor(inside * drawn.days.length)));
}

function tell() {
  const {days, totals} = drawn;
  const sum = totals.reduce((a, b) => a + b, 0);
  const most = totals.indexOf(Math.max(...totals));
  setText(byId("chart-day"), chosen === null ? `${calls(sum)} in all` : dayText(chosen));
  setText(byId("chart-summary"), `Calls of each day from ${day(days[0])} to ${day(days.at(-1))}: ${number(sum)} in `
    + `all, most of them, ${number(totals[most])}, on ${day(days[most])}.`);
  const slider = byId("chart-days");
  setAttribute(slider, "aria-valuemin", 1);
  setAttribute(slider, "aria-valuemax", days.length);
  setAttribute(slider, "aria-valuenow", (chosen ?? days.length - 1) + 1);
  setAttribute(slider, "aria-valuetext", dayText(chosen ?? days.length - 1));
}

function dayText(place) {
  const parts = drawn.series.filter((route) => route.calls[place] > 0)
    .map((route) => `${route.name} ${number(route.calls[place])}`);
  const text = `${day(drawn.days[place])}: ${calls(drawn.totals[place])}`;
  return parts.length > 1 || (parts.length === 1 && drawn.series.length > 1) ? `${text} (${parts.join(", ")})` : text;
}

// Drawing

function draw() {
  const area = byId("chart-days");
  // Drawn at the size that it has, so that the letters keep theirs.
  const width = Math.max(240, area.clientWidth);
  const top = ceiling(Math.max(...drawn.totals));
  const plot = {width: width - margin.left - margin.right, height: height - margin.top - margin.bottom};
  const y = (value) => margin.top + plot.height * (1 - value / top);
  area.replaceChildren(shape("svg", {class: "chart", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true"},
    ...lines(top, width, y), ...drawn.days.flatMap((_, place) => column(place, plot, y)), ...dayLabels(plot)));
}

/// The smallest of 2, 4, 6, 8, 10, 20, 40 … that the bars fit under: its half is a whole number, too.
function ceiling(value) {
  let size = 1;
  while (size * 10 < value) size *= 10;
  return [2, 4, 6, 8, 10].map((step) => step * size).find((limit) => limit >= value);
}

const lines = (top, width, y) => [0, top / 2, top].flatMap((value) => [
  shape("line", {class: "chart-line", x1: margin.left, x2: width - margin.right, y1: y(value), y2: y(value)}),
  shape("text", {class: "chart-label", x: margin.left - 8, y: y(value) + 4, "text-anchor": "end"},
    compactNumber(value)),
]);

function column(place, plot, y) {
  const pitch = plot.width / drawn.days.length;
  const [x, width] = [margin.left + place * pitch, Math.max(2, Math.min(20, pitch - Math.max(2, pitch * 0.3)))];
  const band = {class: place === chosen ? "chart-band is-chosen" : "chart-band", x, y: margin.top, width: pitch,
    height: plot.height, rx: 3};
  let below = 0;
  const parts = drawn.series.map((route, index) => {
    const [from, to] = [below, below + route.calls[place]];
    below = to;
    // A part is never too thin to be seen, and a line of the background keeps neighbours apart.
    const size = Math.max(2, y(from) - y(to) - (from > 0 ? 1 : 0));
    return route.calls[place] > 0 ? shape("rect", {class: `series-${index + 1}`, x: x + (pitch - width) / 2,
      y: y(to), width, height: size, rx: 1.5}) : null;
  });
  return [shape("rect", band), ...parts.filter(Boolean)];
}

/// The first day, the last, and between them one for about each 90 pixels.
function dayLabels(plot) {
  const last = drawn.days.length - 1;
  const stride = Math.ceil(last / Math.max(1, Math.min(5, Math.floor(plot.width / 90))));
  const pitch = plot.width / drawn.days.length;
  const label = (place, x, anchor) => shape("text", {
    class: "chart-label", x: margin.left + x, y: height - 6, "text-anchor": anchor,
  }, shortDay(drawn.days[place]));
  return drawn.days.map((_, place) => place).filter((place) => (last - place) % stride === 0).map((place) => {
    if (place === last) return label(place, plot.width, "end");
    return place * pitch < 24 ? label(place, 0, "start") : label(place, (place + 0.5) * pitch, "middle");
  });
}

function showLegend() {
  byId("chart-legend").replaceChildren(...drawn.series.map((route, index) => element("li", {},
    element("span", {class: `swatch series-${index + 1}`, "aria-hidden": "true"}),
    element("span", {}, `${route.name} (${number(route.calls.reduce((a, b) => a + b, 0))})`))));
}

function showTable() {
  const heading = (text, isNumber) =>
    element("th", {scope: "col", class: isNumber && "is-number"}, text);
  const cell = (value) => element("td", {class: "is-number"}, number(value));
  const rows = drawn.days.map((date, place) => element("tr", {},
    element("th", {scope: "row", class: "is-moment"}, shortDay(date)),
    ...drawn.series.map((route) => cell(route.calls[place])), cell(drawn.totals[place])));
  byId("chart-table").replaceChildren(element("table", {class: "table"},
    element("caption", {class: "visually-hidden"}, "Calls of the last 30 days by route, the newest first"),
    element("thead", {}, element("tr", {}, heading("Day"),
      ...drawn.series.map((route) => heading(route.name, true)), heading("All", true))),
    element("tbody", {}, ...rows.reverse())));
}
