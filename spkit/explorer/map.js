// The map of the explorer: draws what the kernel sends, and says where the mouse or the keyboard wants to go.
// Names come from data: they are set as text, never as markup.
const SVG = "http://www.w3.org/2000/svg";
const SHADES = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"];
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

function add(parent, tag, attributes = {}, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

const around = (count, radius, turn = 0) =>
  Array.from({ length: count }, (_, i) => {
    const angle = (2 * Math.PI * (i + turn)) / count;
    return [radius[i % radius.length] * Math.sin(angle), -radius[i % radius.length] * Math.cos(angle)];
  });
const SHAPES = {
  circle: () => around(24, [5.5]),
  square: () => around(4, [7], 0.5),
  diamond: () => around(4, [7.5]),
  triangle: () => around(3, [7.5]),
  star: () => around(10, [9, 4]),
};
const closed = (points) => "M" + points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join("L") + "Z";

/** Places for a name around its mark: near ones first, then farther ones that need a line to it. */
function* placesAround(width, height) {
  for (const far of [10, 22, 38, 56, 76]) {
    yield [far, 0, "start"];
    yield [-far, 0, "end"];
    yield [0, -far - height / 2 + 2, "middle"];
    yield [0, far + height / 2 - 2, "middle"];
    for (const x of [1, -1]) for (const y of [-1, 1]) yield [0.8 * far * x, 0.9 * far * y, x > 0 ? "start" : "end"];
  }
}

const overlap = (a, b) =>
  Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));

/** Put each name where it covers neither a mark nor another name, and is not cut. */
function placeNames(layer, marks, width, height) {
  const taken = marks.map((mark) => [mark.px - 8, mark.py - 8, mark.px + 8, mark.py + 8]);
  marks.forEach((mark, own) => {
    if (!mark.shown) return;
    const text = add(layer, "text", { class: "spkit-map-name" }, mark.shown);
    const size = text.getBBox();
    let best = null;
    for (const [dx, dy, anchor] of placesAround(size.width, size.height)) {
      const left = mark.px + dx - (anchor === "end" ? size.width : anchor === "middle" ? size.width / 2 : 0);
      const top = mark.py + dy - size.height / 2;
      const box = [left, top, left + size.width, top + size.height];
      const outside = Math.max(0, 2 - box[0], 2 - box[1], box[2] - width + 2, box[3] - height + 2);
      const cost = taken.reduce((sum, other, i) => (i === own ? sum : sum + overlap(box, other)), 100 * outside);
      if (!best || cost < best.cost) best = { cost, box, far: Math.hypot(dx, dy) > 20 };
      if (cost === 0) break;
    }
    text.setAttribute("x", best.box[0]);
    text.setAttribute("y", best.box[3] - 0.25 * size.height);
    taken.push(best.box);
    if (best.far) {
      const [x, y] = [Math.min(Math.max(mark.px, best.box[0]), best.box[2]), (best.box[1] + best.box[3]) / 2];
      const line = add(layer, "line", { x1: mark.px, y1: mark.py, x2: x, y2: y, class: "spkit-map-leader" });
      layer.prepend(line);
    }
  });
}

function render({ model, el }) {
  el.classList.add("spkit-map");
  const title = document.createElement("div");
  title.className = "spkit-map-title";
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("tabindex", "0");
  svg.setAttribute("role", "application");
  svg.setAttribute("aria-roledescription", "map");
  const foot = document.createElement("div");
  foot.className = "spkit-map-foot";
  const scale = document.createElement("div");
  scale.className = "spkit-map-scale";
  const pointed = document.createElement("div");
  pointed.className = "spkit-map-pointed";
  foot.append(scale, pointed);
  el.append(title, svg, foot);

  let view = null; // pixels of places, and back
  let dragging = null;
  let waiting = 0;
  const send = (place, done) => model.send({ kind: "move", x: place[0], y: place[1], done });
  const spoken = () => `${model.get("content").title}. ${model.get("text")}. Arrow keys move the position.`;

  function describe(place) {
    const { origin, axes, names } = model.get("content");
    const values = names.map((name, i) => `${name} ${(origin[i] + place[0] * axes[0][i] + place[1] * axes[1][i]).toFixed(2)}`);
    pointed.textContent = values.join("  ");
  }

  function drawYou(place = model.get("you")) {
    const layer = svg.querySelector(".spkit-map-you");
    if (!layer || !view || place.length < 2) return;
    layer.replaceChildren();
    const [x, y] = view.pixel(place);
    const mark = add(layer, "g", { transform: `translate(${x},${y})` });
    add(mark, "circle", { r: 9, class: "spkit-map-ring-out" });
    add(mark, "circle", { r: 9, class: "spkit-map-ring" });
    add(mark, "circle", { r: 2.5, class: "spkit-map-dot" });
    svg.setAttribute("aria-label", spoken());
  }

  function draw() {
    const content = model.get("content");
    const width = Math.floor(el.clientWidth);
    if (!content.box || width < 40) return;
    const [left, right, low, high] = content.box;
    const tallest = Math.max(240, Math.min(0.58 * window.innerHeight, 720));
    const unit = Math.min(width / (right - left), tallest / (high - low)); // the same along both axes
    const [w, h] = [unit * (right - left), unit * (high - low)];
    view = {
      pixel: ([x, y]) => [(x - left) * unit, (high - y) * unit],
      place: (x, y) => [left + x / unit, high - y / unit],
      step: 0.02 * Math.max(right - left, high - low),
    };
    title.textContent = content.title;
    svg.setAttribute("width", w);
    svg.setAttribute("height", h);
    svg.replaceChildren();
    const [across, down] = model.get("size");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [across, down];
    const pixels = model.get("pixels");
    const bytes = new Uint8ClampedArray(pixels.buffer, pixels.byteOffset, pixels.byteLength);
    canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(bytes), across, down), 0, 0);
    const [px, py] = [w / (across - 1), h / (down - 1)]; // the outer values stand on the edge
    add(svg, "image", { href: canvas.toDataURL(), x: -px / 2, y: -py / 2, width: w + px, height: h + py,
      preserveAspectRatio: "none" });
    const path = (points) => {
      let made = "";
      for (let i = 0; i < points.length; i += 2) {
        made += (i ? "L" : "M") + view.pixel([points[i], points[i + 1]]).map((one) => one.toFixed(1)).join(",");
      }
      return made;
    };
    for (const line of content.lines) add(svg, "path", { d: path(line.points), class: "spkit-map-contour" });
    for (const arrow of content.arrows) {
      const [x1, y1] = view.pixel(arrow.from);
      const [x2, y2] = view.pixel(arrow.to);
      add(svg, "line", { x1, y1, x2, y2, class: "spkit-map-arrow-out" });
      add(svg, "line", { x1, y1, x2, y2, class: "spkit-map-arrow", style: `stroke:${arrow.colour}` });
    }
    if (content.way.length) {
      add(svg, "path", { d: path(content.way), class: "spkit-map-way-out" });
      add(svg, "path", { d: path(content.way), class: "spkit-map-way" });
    }
    const marks = content.marks.map((mark) => {
      const [x, y] = view.pixel([mark.x, mark.y]);
      return { ...mark, px: x, py: y };
    });
    for (const mark of marks) {
      const made = add(svg, "path", { d: closed(SHAPES[mark.shape]()), transform: `translate(${mark.px},${mark.py})`,
        class: `spkit-map-mark${mark.inside ? "" : " spkit-map-hollow"}` });
      made.style.setProperty("--mark", mark.colour);
      made.dataset.name = mark.name;
      add(made, "title", {}, mark.inside ? mark.name : `${mark.name}: beside this cut, seen from the side`);
    }
    placeNames(add(svg, "g", { class: "spkit-map-names" }), marks, w, h);
    add(svg, "g", { class: "spkit-map-you" });
    drawYou();
    scale.replaceChildren();
    const bar = document.createElement("span");
    bar.className = "spkit-map-bar";
    const shades = content.scale.less_is_better ? [...SHADES].reverse() : SHADES;
    bar.style.background = `linear-gradient(to right, ${shades.join(",")})`;
    scale.append(`${content.scale.label} ${content.scale.low}`, bar, `${content.scale.high}`);
  }

  const at = (event) => {
    const box = svg.getBoundingClientRect();
    const inside = (value, size) => Math.min(Math.max(value, 0), size);
    return view.place(inside(event.clientX - box.left, box.width), inside(event.clientY - box.top, box.height));
  };
  svg.addEventListener("pointerdown", (event) => {
    if (!view || event.button) return;
    const name = event.target.closest?.("[data-name]")?.dataset.name;
    if (name !== undefined) {
      model.send({ kind: "go", name });
      return;
    }
    svg.setPointerCapture(event.pointerId);
    dragging = at(event);
    drawYou(dragging);
    waiting = Date.now();
    send(dragging, false);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!view) return;
    const place = at(event);
    describe(place);
    if (!dragging) return;
    dragging = place;
    drawYou(place);
    // One request at a time: the next when the last is answered, or when it was lost.
    if (!waiting || Date.now() - waiting > 300) {
      waiting = Date.now();
      send(place, false);
    }
  });
  const dropped = () => {
    if (!dragging) return;
    send(dragging, true);
    dragging = null;
  };
  svg.addEventListener("pointerup", dropped);
  svg.addEventListener("pointercancel", dropped);
  svg.addEventListener("pointerleave", () => (pointed.textContent = model.get("content").hint));
  svg.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || !view) return;
    event.preventDefault();
    event.stopPropagation();
    const by = event.shiftKey ? view.step / 4 : view.step;
    const place = model.get("you").map((value, i) => value + by * step[i]);
    model.set("you", place);
    drawYou(place);
    send(place, true);
  });
  const answered = () => {
    waiting = 0;
    if (!dragging) drawYou();
  };
  model.on("change:content", () => { draw(); pointed.textContent = model.get("content").hint; });
  model.on("change:you", answered);
  const watcher = new ResizeObserver(() => draw());
  watcher.observe(el);
  draw();
  pointed.textContent = model.get("content").hint || "";
  const stop = watchKernel(model, el);
  return () => { watcher.disconnect(); stop(); };
}

export default { render };
