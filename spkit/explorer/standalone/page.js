const known = JSON.parse(document.getElementById("content").textContent);
const one = (id) => document.getElementById(id);
const { names, rows, gram } = known;
const [low, high] = known.range;
const mean = rows.length - 1;
const surrogate = makeSurrogate(known.surrogate);
const measuredAt = new Map(known.measured.at.map((at, i) => [keyOf(at), i]));
const unseenAt = new Map((known.unseen?.at ?? []).map((at, i) => [keyOf(at), i]));

/** What is known of a position: measured, or interpolated with its typical error. */
function read(coefficients) {
  const number = measuredAt.get(keyOf(coefficients)), seen = unseenAt.get(keyOf(coefficients));
  const measured = number !== undefined;
  const [score, loss] = ["score", "loss"].map((kind, part) =>
    measured ? known.measured[kind][number] : rows.map((_, row) => surrogate(coefficients, row + part * rows.length)));
  return { measured, score, loss, error: measured ? null : known.errors.score, unseen: seen === undefined ? null : known.unseen.score[seen] };
}

/** The score marks of a table: the base, own experts, and models that are no position. */
function marksOf(references, experts) {
  const others = Object.entries(references).filter(([name]) => !(name in known.positions));
  return [
    { name: "base", kind: "base", values: references.base ?? [] },
    ...(experts ? [{ name: "own expert", kind: "expert", values: experts }] : []),
    ...others.map(([name, values]) => ({ name, kind: name === "joint" ? "joint" : "other", values })),
  ];
}

const colourOfRow = known.vectorOfRow.map((number) => (number === null ? null : known.colours[number]));
const marks = marksOf(known.references, known.experts);
const showTrained = makeScores(one("trained"), rows, colourOfRow, marks);
const showUnseen = known.unseen
  ? makeScores(one("unseen-table"), known.unseen.rows, known.unseen.rows.map(() => null), marksOf(known.unseen.references, null))
  : null;

let numberOfSliders = 0;
const controls = names.map((name, i) => makeControl(name, known.colours[i], low, high, (value, resting) => turn(i, value, resting)));
const norms = gram.map((row, i) => Math.sqrt(row[i]));
const usual = norms.reduce((sum, norm) => sum + norm, 0) / norms.length || 1;
const control = makeControl("all together: length", null, 0, 2, stretch);
control.line.classList.add("all");
control.line.title = "1 is as far from the base as the vectors are on average; the shares stay";
one("sliders").append(...controls.map(({ line }) => line), control.line);

/** A slider with a number box, both by one name. */
function makeControl(name, colour, least, most, turned) {
  const id = `slider-${numberOfSliders++}`;
  const slider = element("input", { type: "range", id, min: least, max: most, step: 0.01 });
  const box = element("input", { type: "number", step: 0.01, "aria-label": `${name}, as a number` });
  const label = element("label", { for: id, text: name });
  const line = element("div", { class: "slider", ...(colour ? { style: `--own: ${colour}` } : {}) }, label, slider, box);
  slider.addEventListener("input", () => turned(Number(slider.value), false));
  slider.addEventListener("change", () => turned(Number(slider.value), true));
  box.addEventListener("change", () => (box.value !== "" && Number.isFinite(Number(box.value)) ? turned(Number(box.value), true) : show(place.here, true)));
  const put = (value) => {
    slider.min = Math.min(least, value);
    slider.max = Math.max(most, value);
    slider.value = value;
    const ends = [Math.min(0, value), Math.max(0, value)].map((end) => (end - slider.min) / (slider.max - slider.min));
    ["--from", "--to"].forEach((side, i) => slider.style.setProperty(side, `${100 * ends[i]}%`));
    slider.setAttribute("aria-valuetext", value.toFixed(2));
    if (document.activeElement !== box || Number(box.value) !== value) box.value = Number(value.toFixed(4));
  };
  return { line, put };
}

function turn(number, value, resting) {
  const next = place.here.slice(), before = next[number];
  next[number] = value;
  const rest = place.here.reduce((sum, one, i) => sum + (i === number ? 0 : one), 0);
  if (one("keep-sum").checked && Math.abs(rest) > 1e-9) {
    const share = (rest + before - value) / rest;
    next.forEach((other, i) => i !== number && (next[i] = other * share));
  }
  place.move(next, resting);
}

function stretch(length, resting) {
  const now = lengthOf(place.here, gram) / usual;
  const from = now > 1e-9 ? place.here : names.map(() => 1);
  const factor = length / (now > 1e-9 ? now : lengthOf(from, gram) / usual || 1);
  place.move(from.map((value) => value * factor), resting);
}

/** A drag may move more often than the screen is drawn. */
let awaited = 0;
function moved(here, resting) {
  cancelAnimationFrame(awaited);
  if (resting) show(here, true);
  else awaited = requestAnimationFrame(() => show(place.here, false));
}

const place = makePlace(known.start, moved);
const drawMap = makeMap(known, surrogate, place);

function show(here, resting) {
  const reading = read(here), name = one("reference").value;
  const reference = { name, values: known.references[name] };
  controls.forEach(({ put }, i) => put(here[i]));
  control.put(lengthOf(here, gram) / usual);
  showTrained(reading.score, reading.error, reference, resting);
  headline(reading, reference);
  if (showUnseen) {
    const values = known.unseen.references[name] ?? known.unseen.rows.map(() => null);
    showUnseen(reading.unseen, null, { name, values }, true);
    one("unseen-note").textContent = reading.unseen
      ? `Measured here, on up to ${known.unseen.examples} test examples a task.`
      : "Not measured here: go to a named position.";
  }
  const shown = marks.filter((mark) => mark.name !== name); // the reference is the line at zero
  one("legend").replaceChildren("On the bars:", ...shown.flatMap((mark) => [element("i", { class: `mark ${mark.kind}` }), mark.name]));
  drawMap(resting);
  one("text").value = asText(names, here);
  one("undo").disabled = !place.canUndo;
  one("redo").disabled = !place.canRedo;
  const named = Object.entries(known.positions).find(([, at]) => keyOf(at) === keyOf(here));
  one("positions").value = named ? named[0] : "";
  if (!resting) return;
  one("notice").textContent = "";
  one("spoken").textContent = `${one("headline").textContent}`;
  try {
    history.replaceState(null, "", `#${here.map((value) => Number(value.toFixed(6))).join()}`);
  } catch {} // a page in a frame may have no address of its own
}

function headline(reading, reference) {
  const line = one("headline"), kind = reading.measured ? "measured" : "interpolated";
  const error = reading.error ? ` ± ${reading.error[mean].toFixed(1)}` : "";
  const apart = reading.score[mean] - reference.values[mean];
  line.replaceChildren(
    `${reading.score[mean].toFixed(1)}${error} `,
    element("span", { class: `kind ${kind}`, text: kind }),
    element("small", { text: `mean score; ${signed(apart)} against ${reference.name}` }),
  );
}

/** What the page says once, at its start. */
function describe() {
  document.title = `${known.title} · spkit explorer`;
  one("title").textContent = known.title;
  const [first, ...rest] = known.verdict.split(/(?<=\.) /);
  if (known.verdict) {
    one("verdict").hidden = false;
    one("verdict").firstElementChild.textContent = `The study's verdict: ${first}`;
    one("verdict").lastElementChild.textContent = rest.join(" ");
  }
  one("trained").caption.textContent = `Points from 0 to 100 on up to ${known.examples} dev examples a task. ± is the typical error of the interpolation.`;
  one("unseen").hidden = !known.unseen;
  for (const name of Object.keys(known.references)) one("reference").append(element("option", { value: name, text: name }));
  one("positions").append(element("option", { value: "", text: "(between)" }));
  for (const name of Object.keys(known.positions)) one("positions").append(element("option", { value: name, text: name }));
  const scores = known.measured.score, best = scores.map((_, i) => i).sort((a, b) => scores[b][mean] - scores[a][mean]);
  const named = new Map(Object.entries(known.positions).map(([name, at]) => [keyOf(at), name]));
  one("places").firstElementChild.textContent = `Measured places, best first (${Math.min(20, best.length)} of ${best.length})`;
  one("places").querySelector("tbody").append(...best.slice(0, 20).map((i) => {
    const at = known.measured.at[i], button = element("button", { type: "button", text: named.get(keyOf(at)) ?? `place ${i + 1}` });
    button.addEventListener("click", () => place.move(at));
    const where = names.map((name, j) => `${name} ${at[j].toFixed(2)}`).join(", ");
    return element("tr", {}, element("th", { scope: "row" }, button), element("td", { text: scores[i][mean].toFixed(1) }), element("td", { text: where }));
  }));
  one("about").textContent = `Made by spkit explore. ${known.measured.at.length} positions were measured; all between them is interpolated in this page. It fetches nothing.`;
  return best;
}

function copy() {
  const text = one("text");
  text.select();
  const done = () => (one("notice").textContent = "Copied.");
  const byHand = () => (document.execCommand("copy") ? done() : (one("notice").textContent = "Selected: copy it with Ctrl+C."));
  if (navigator.clipboard) navigator.clipboard.writeText(text.value).then(done, byHand);
  else byHand();
}

function typed() {
  const given = fromText(names, one("text").value);
  if (given) place.move(given);
  else one("notice").textContent = `A position is such a text: ${asText(names, place.here)}`;
}

const best = describe();
one("undo").addEventListener("click", () => place.undo());
one("redo").addEventListener("click", () => place.redo());
one("copy").addEventListener("click", copy);
one("text").addEventListener("change", typed);
one("reference").addEventListener("change", () => show(place.here, true));
one("positions").addEventListener("change", () => one("positions").value && place.move(known.positions[one("positions").value]));
one("best-measured").addEventListener("click", () => place.move(known.measured.at[best[0]]));
one("best-known").addEventListener("click", () => {
  const starts = best.slice(0, 8).map((i) => known.measured.at[i]);
  place.move(highest((at) => surrogate(at, mean), starts, known.range));
});
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.target.matches("input[type=text], input[type=number]")) return;
  const key = event.key.toLowerCase(), forward = key === "y" || (key === "z" && event.shiftKey);
  if (key !== "y" && key !== "z") return;
  event.preventDefault();
  if (forward) place.redo();
  else place.undo();
});
window.addEventListener("hashchange", fromAddress);

/** A link may name a position. */
function fromAddress() {
  const given = location.hash.length > 1 ? fromText(names, decodeURIComponent(location.hash.slice(1))) : null;
  if (given && keyOf(given) !== keyOf(place.here)) place.move(given);
  return given !== null;
}

if (!fromAddress()) show(place.here, true);
// For programs: what is known of a position, and going there.
window.explorer = { read, interpolate: (at) => known.surrogate.outputs.map((_, i) => surrogate(at, i)), go: (at) => place.move(at), here: () => place.here };
