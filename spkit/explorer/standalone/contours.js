/** Viridis, in ten stops. */
const SHADES = ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"].map(
  (hex) => [0, 2, 4].map((start) => parseInt(hex.slice(start, start + 2), 16)),
);

function shade(share) {
  const place = Math.min(1, Math.max(0, share)) * (SHADES.length - 1), low = Math.min(SHADES.length - 2, Math.floor(place));
  return SHADES[low].map((value, i) => Math.round(value + (place - low) * (SHADES[low + 1][i] - value)));
}

/** Some fifteen bands between two numbers, with ends that are round. */
function bandsBetween(least, most) {
  const rough = Math.max(most - least, 1e-9) / 20, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((one) => one * power >= rough * 0.999);
  const low = Math.floor(least / step + 1e-9) * step;
  const count = Math.max(1, Math.ceil((most - low) / step - 1e-9));
  return { low, step, count, high: low + count * step, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

/** Values on a grid over a box, row after row. */
function valuesOn(box, size, value) {
  const values = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const x = box.x + (box.width * column) / (size - 1), y = box.y + (box.height * row) / (size - 1);
      values[row * size + column] = value([x, y]);
    }
  }
  return values;
}

/** Paint the bands, with a line between two of them; y goes up. */
function paint(canvas, values, size, bands, reversed) {
  const { width, height } = canvas, context = canvas.getContext("2d");
  const picture = context.createImageData(width, height);
  const colours = Array.from({ length: bands.count }, (_, band) => {
    const share = bands.count > 1 ? band / (bands.count - 1) : 0.5;
    return shade(reversed ? 1 - share : share);
  });
  let above = new Int16Array(width).fill(-1);
  for (let row = 0; row < height; row++) {
    const up = (height > 1 ? 1 - row / (height - 1) : 0) * (size - 1), low = Math.min(size - 2, Math.floor(up)), rest = up - low;
    const here = new Int16Array(width);
    for (let column = 0; column < width; column++) {
      const over = (column / (width - 1)) * (size - 1), left = Math.min(size - 2, Math.floor(over)), part = over - left;
      const at = low * size + left;
      const below = values[at] * (1 - part) + values[at + 1] * part;
      const upper = values[at + size] * (1 - part) + values[at + size + 1] * part;
      const value = below * (1 - rest) + upper * rest;
      const band = Math.min(bands.count - 1, Math.max(0, Math.floor((value - bands.low) / bands.step)));
      here[column] = band;
      const edge = (column && here[column - 1] !== band) || (row && above[column] !== band);
      const pixel = 4 * (row * width + column);
      for (let i = 0; i < 3; i++) picture.data[pixel + i] = edge ? colours[band][i] * 0.8 : colours[band][i];
      picture.data[pixel + 3] = 255;
    }
    above = here;
  }
  context.putImageData(picture, 0, 0);
}
