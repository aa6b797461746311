/** A new element with text, never markup: names may hold any signs. */
function element(name, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const signed = (value, digits = 1) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

/** The least round number that is not below a distance. */
const roundUp = (distance) => [1, 2, 5, 10, 20, 50, 100].find((one) => one >= distance) ?? 100;

/** A table of scores with their differences to a reference, as numbers and as bars.
 *
 * rows: names, the mean last; it is shown first. colours: of each row, or null. marks: what else stands on the bars:
 * {name, kind, values}. */
function makeScores(table, rows, colours, marks) {
  const [body, head] = [table.tBodies[0], table.tHead];
  const ticks = element("div", { class: "ticks", "aria-hidden": "true" });
  const against = element("th", { scope: "col" });
  head.append(
    element("tr", {}, element("th", { scope: "col", text: "task" }), element("th", { scope: "col", text: "score" }), against,
      element("th", { scope: "col", class: "bars" }, ticks)),
  );
  const cells = rows.map((row, number) => {
    const own = colours[number] ? `--own: ${colours[number]}` : "";
    const score = element("td"), difference = element("td");
    const track = element("div", { class: "track", style: own, "aria-hidden": "true" });
    const line = element("tr", number === rows.length - 1 ? { class: "mean" } : {},
      element("th", { scope: "row", style: own, text: row }), score, difference,
      element("td", { class: "bars" }, track));
    return { line, score, difference, track };
  });
  body.append(cells.at(-1).line, ...cells.slice(0, -1).map(({ line }) => line));
  const span = { low: 1, high: 1, of: null };

  /** values and errors: of each row, or null where they are not known; reference: {name, values}. */
  return (values, errors, reference, resting) => {
    const apart = rows.map((_, i) => (values === null || reference.values[i] == null ? null : values[i] - reference.values[i]));
    const known = marks.filter(({ kind }) => kind !== "base"); // far below the rest it would squeeze what differs
    const all = apart.concat(...known.map((mark) => mark.values.map((value, i) => (value == null || reference.values[i] == null ? null : value - reference.values[i]))));
    const present = all.filter((one) => one !== null);
    let low = roundUp(Math.max(0.5, -Math.min(0, ...present))), high = roundUp(Math.max(0.5, ...present));
    [low, high] = [Math.max(low, roundUp(high / 4)), Math.max(high, roundUp(low / 4))]; // room for both numbers beside the zero
    // The axis stays while one drags, unless something leaves it.
    const keep = !resting && span.of === reference.name;
    Object.assign(span, { low: keep ? Math.max(span.low, low) : low, high: keep ? Math.max(span.high, high) : high, of: reference.name });
    const place = (value) => `${(100 * Math.min(1, Math.max(0, (value + span.low) / (span.low + span.high)))).toFixed(2)}%`;
    against.textContent = `− ${reference.name}`;
    const zero = element("span", { text: "0" });
    zero.style.left = place(0);
    ticks.replaceChildren(element("span", { text: `−${span.low}` }), zero, element("span", { text: `+${span.high}` }));
    cells.forEach(({ score, difference, track }, i) => {
      score.textContent = values === null ? "–" : values[i].toFixed(1);
      const error = errors ? errors[i] : null;
      difference.textContent = apart[i] === null ? "–" : signed(apart[i]) + (error === null ? "" : ` ± ${error.toFixed(1)}`);
      // What an error may hide is neither gain nor loss.
      const sure = apart[i] !== null && Math.abs(apart[i]) > Math.max(error ?? 0, 0.05);
      difference.className = sure ? (apart[i] > 0 ? "gain" : "loss") : "";
      const parts = [element("i", { class: "nought", style: `left: ${place(0)}` })];
      if (apart[i] !== null) {
        const ends = [Math.min(0, apart[i]), Math.max(0, apart[i])].map(place);
        parts.push(element("i", { class: "bar", style: `left: ${ends[0]}; width: calc(${ends[1]} - ${ends[0]})` }));
        if (error !== null) {
          const [from, to] = [apart[i] - error, apart[i] + error].map(place);
          parts.push(element("i", { class: "error", style: `left: ${from}; width: calc(${to} - ${from})` }));
        }
      }
      for (const { name, kind, values: at } of marks) {
        if (at[i] == null || reference.values[i] == null || name === reference.name) continue;
        const difference = at[i] - reference.values[i];
        parts.push(element("i", { class: `mark ${kind}`, style: `left: ${place(difference)}`, title: `${name}: ${at[i].toFixed(1)}` }));
      }
      track.classList.toggle("guess", errors !== null);
      track.replaceChildren(...parts);
    });
  };
}
