/** What differs less than a millionth is one position, as in Python. */
const keyOf = (coefficients) => coefficients.map((value) => Math.round(1e6 * value) + 0).join(" ");

/** A position as a short text, as the explorer in a notebook writes it: faq=0.5 "my sts"=0.7; exact to a millionth. */
function asText(names, coefficients) {
  const shown = names.map((name) => (/^[^\s=:,;{}()"]+$/.test(name) ? name : JSON.stringify(name)));
  return shown.map((name, i) => `${name}=${Number(coefficients[i].toFixed(6))}`).join(" ");
}

/** A name, in quotes where it is not plain, then its number; or a number alone. */
const PART = /("(?:[^"\\]|\\.)*"|[^\s=:,;{}()"]+)\s*[=:]\s*([^\s,;{}()"]+)|[^\s,;{}()"]+/g;

/** The position that a text means: names with numbers, where vectors without one are at 0 (the explorer's code is such a
 * text, too), or a number for each vector in their order; null where it is none. */
function fromText(names, text) {
  const parts = [...text.replace(/^.*\(\s*(?=\{)/s, "").matchAll(PART)], named = parts.filter(([, name]) => name !== undefined);
  if (parts.length === 0 || (named.length && named.length < parts.length)) return null;
  let values = parts.map(([whole]) => Number(whole));
  if (named.length) {
    const given = new Map(named.map(([, name, number]) => [name.startsWith('"') ? unquoted(name) : name, Number(number)]));
    if ([...given.keys()].some((name) => !names.includes(name))) return null;
    values = names.map((name) => given.get(name) ?? 0);
  }
  return values.length === names.length && values.every(Number.isFinite) ? values : null;
}

function unquoted(name) {
  try {
    return JSON.parse(name);
  } catch {
    return name;
  }
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
