/** What differs less than a millionth is one position, as in Python. */
const keyOf = (coefficients) => coefficients.map((value) => Math.round(1e6 * value) + 0).join(" ");

/** A position as a short text, which is JSON and Python alike, exact to a millionth. */
const asText = (names, coefficients) =>
  `{${names.map((name, i) => `${JSON.stringify(name)}: ${Number(coefficients[i].toFixed(6))}`).join(", ")}}`;

/** The position that a text means: one as `asText` writes it, a whole `vectors.at({...})` around it, or numbers alone in
 * the order of the vectors; null where it is none. */
function fromText(names, text) {
  const inside = text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1);
  let values;
  if (inside) {
    try {
      const given = JSON.parse(inside);
      if (Object.keys(given).length !== names.length) return null;
      values = names.map((name) => (Object.hasOwn(given, name) ? given[name] : null));
    } catch {
      return null;
    }
  } else {
    values = (text.match(/[^\s,;[\]()]+/g) ?? []).map(Number);
  }
  const fits = values.length === names.length && values.every((value) => typeof value === "number" && Number.isFinite(value));
  return fits ? values : null;
}

/** Where one is, and where one was before. `moved` is called with every move, and with whether it is at rest. */
function makePlace(start, moved) {
  const before = [], after = [];
  let here = start.slice(), rested = here;
  const show = (resting) => moved(here, resting);
  return {
    get here() {
      return here;
    },
    get canUndo() {
      return before.length > 0;
    },
    get canRedo() {
      return after.length > 0;
    },
    /** Go somewhere; a drag goes through many places, and rests at its end alone. */
    move(coefficients, resting = true) {
      here = coefficients.slice();
      if (resting && keyOf(here) !== keyOf(rested)) {
        before.push(rested);
        after.length = 0;
        rested = here;
      }
      show(resting);
    },
    undo() {
      if (before.length) this.back(before, after);
    },
    redo() {
      if (after.length) this.back(after, before);
    },
    back(from, to) {
      to.push(rested);
      here = rested = from.pop();
      show(true);
    },
  };
}
