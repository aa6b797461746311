/** The interpolation: Gaussian processes, as `Surrogate.numbers` in Python writes them down. Gives (position, number of
 * the output) -> value. */
function makeSurrogate({ positions, outputs }) {
  const root = Math.sqrt(5);
  const scaled = outputs.map(({ lengths }) => Float64Array.from(positions.flatMap((row) => row.map((value, i) => value / lengths[i]))));
  return (coefficients, number) => {
    const { mean, lengths, weights } = outputs[number];
    const here = coefficients.map((value, i) => value / lengths[i]);
    const known = scaled[number], count = here.length;
    let sum = 0;
    for (let k = 0, place = 0; k < weights.length; k++) {
      let square = 0;
      for (let i = 0; i < count; i++) {
        const apart = known[place++] - here[i];
        square += apart * apart;
      }
      const distance = root * Math.sqrt(square);
      sum += weights[k] * (1 + distance + (distance * distance) / 3) * Math.exp(-distance);
    }
    return mean + sum;
  };
}

/** The position of the highest value within a range: a search along the axes, in ever smaller steps, from several
 * starts. */
function highest(value, starts, [low, high]) {
  let best = null;
  for (const start of starts) {
    let here = start.map((one) => Math.min(high, Math.max(low, one))), top = value(here);
    for (let step = 0.2; step > 0.004; ) {
      let moved = false;
      for (let i = 0; i < here.length; i++) {
        for (const sign of [1, -1]) {
          const next = here.slice();
          next[i] = Math.min(high, Math.max(low, next[i] + sign * step));
          const found = value(next);
          if (found > top + 1e-9) [here, top, moved] = [next, found, true];
        }
      }
      if (!moved) step /= 2;
    }
    if (best === null || top > best.top) best = { here, top };
  }
  return best.here.map((one) => Math.round(100 * one) / 100);
}
