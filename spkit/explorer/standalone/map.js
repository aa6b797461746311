/** The map: the plane of two vectors, cut where one is; a click or a drag on it moves. */
function makeMap(known, surrogate, place) {
  const one = (id) => document.getElementById(id);
  const [canvas, svg, pairs, quantities] = ["shades", "marks", "plane", "quantity"].map(one);
  const { names, gram, rows } = known;
  const [low, high] = known.range;
  const options = rows.flatMap((_, i) => [rows.length - 1 - i]); // the means first
  for (const kind of ["score", "loss"]) {
    for (const row of options) quantities.append(element("option", { value: `${kind} ${row}`, text: `${rows[row]} ${kind}` }));
  }
  names.forEach((first, i) => {
    for (let j = i + 1; j < names.length; j++) pairs.append(element("option", { value: `${i} ${j}`, text: `${first}, ${names[j]}` }));
  });
  const start = known.start.map((value, i) => [Math.abs(value) * Math.sqrt(gram[i][i]), i]).sort((a, b) => b[0] - a[0]);
  const largest = start.slice(0, 2).map(([, i]) => i).sort((a, b) => a - b);
  pairs.value = largest.join(" ");
  let plane, box, scale, drawn = "";

  function shape(name, attributes, parent = svg) {
    const made = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  }

  /** Where the two vectors' sliders reach, with a little room around it. */
  function measureBox() {
    const corners = [[low, low], [low, high], [high, low], [high, high]].map((two) => {
      const at = new Array(names.length).fill(0);
      [at[plane.first], at[plane.second]] = two;
      return plane.at(at);
    });
    const [xs, ys] = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
    const [x, y] = [Math.min(...xs), Math.min(...ys)];
    box = { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
    const room = one("picture").clientWidth, most = Math.max(260, Math.min(room, 0.58 * window.innerHeight));
    scale = Math.min(room / box.width, most / box.height);
    const [width, height] = [Math.round(scale * box.width), Math.round(scale * box.height)];
    canvas.style.width = svg.style.width = `${width}px`;
    canvas.style.height = svg.style.height = `${height}px`;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  const toScreen = ([x, y]) => [scale * (x - box.x), scale * (box.y + box.height - y)];
  const onScreen = (coefficients) => toScreen(plane.at(coefficients));
  /** How far another position is from the cut that the map shows. */
  const offCut = (coefficients) =>
    Math.max(0, ...names.map((_, i) => (i === plane.first || i === plane.second ? 0 : Math.abs(coefficients[i] - place.here[i]))));

  function within(coefficients, two) {
    const moved = coefficients.slice();
    [moved[plane.first], moved[plane.second]] = two.map((value) => Math.min(high, Math.max(low, Math.round(100 * value) / 100)));
    return moved;
  }

  function drawShades(resting) {
    const [kind, row] = quantities.value.split(" "), number = Number(row) + (kind === "loss" ? rows.length : 0);
    const others = place.here.filter((_, i) => i !== plane.first && i !== plane.second).map((value) => value.toFixed(4));
    const wanted = [pairs.value, quantities.value, resting, svg.getAttribute("viewBox"), ...others].join(" ");
    if (wanted === drawn) return;
    drawn = wanted;
    const size = resting ? 41 : 21, sharp = resting ? Math.min(2, window.devicePixelRatio || 1) : 1;
    const at = place.here.slice();
    const values = valuesOn(box, size, (point) => {
      [at[plane.first], at[plane.second]] = plane.coefficients(point);
      return surrogate(at, number);
    });
    const bands = bandsBetween(Math.min(...values), Math.max(...values));
    canvas.width = Math.round(sharp * parseFloat(canvas.style.width));
    canvas.height = Math.round(sharp * parseFloat(canvas.style.height));
    paint(canvas, values, size, bands, kind === "loss");
    const [left, strip, right] = one("scale").children;
    [left.textContent, right.textContent] = [bands.low, bands.high].map((value) => value.toFixed(bands.digits));
    paint(strip, valuesOn({ x: bands.low, y: 0, width: bands.high - bands.low, height: 0 }, 60, ([x]) => x), 60, bands, kind === "loss");
  }

  /** Names beside their marks, where none covers another; one without room is left to the mark's own title. */
  function label(taken, [x, y], text) {
    const width = 6.6 * text.length, room = parseFloat(svg.style.width), tall = parseFloat(svg.style.height);
    const sides = [[x + 9, y + 4], [x - width - 9, y + 4], [x - width / 2, y - 10], [x - width / 2, y + 20]];
    const free = sides.find(([left, base]) => {
      const inside = left >= 2 && left + width <= room - 2 && base >= 12 && base <= tall - 3;
      return inside && !taken.some((other) => left < other[0] + other[2] && left + width > other[0] && Math.abs(base - other[1]) < 13);
    });
    if (!free) return;
    taken.push([free[0], free[1], width]);
    shape("text", { x: free[0], y: free[1] }).textContent = text;
  }

  function titled(made, text) {
    shape("title", {}, made).textContent = text;
  }

  function drawMarks() {
    svg.replaceChildren();
    const mean = rows.length - 1;
    known.measured.at.forEach((at, i) => {
      const [x, y] = onScreen(at), here = offCut(at) < 0.01;
      const dot = shape("circle", { cx: x, cy: y, r: here ? 3 : 2, fill: here ? "#ffffff" : "none", stroke: "#ffffff", opacity: here ? 0.95 : 0.45 });
      titled(dot, `measured: mean ${known.measured.score[i][mean].toFixed(1)}${here ? "" : ", at other coefficients than yours"}`);
    });
    if (known.way) {
      const points = known.way.map((at) => onScreen(at).map((value) => value.toFixed(1)).join()).join(" ");
      shape("polyline", { points, fill: "none", stroke: "#000000", "stroke-width": 4, opacity: 0.6 });
      titled(shape("polyline", { points, fill: "none", stroke: "#e69f00", "stroke-width": 2.5 }), "the search, step after step");
    }
    const taken = [], here = onScreen(place.here);
    taken.push([here[0] - 10, here[1] + 4, 20]);
    for (const [name, at] of Object.entries(known.positions)) {
      const inside = names.every((_, i) => i === plane.first || i === plane.second || at[i] === 0);
      if (!inside && !known.marked.includes(name)) continue;
      const [x, y] = onScreen(at), expert = names.indexOf(name.replace(/^expert: /, ""));
      const fill = offCut(at) >= 0.01 ? "none" : name === "base" ? "#000000" : name.startsWith("expert: ") ? known.colours[expert] : "#ffffff";
      const mark = shape("rect", { x: x - 5, y: y - 5, width: 10, height: 10, fill, stroke: "#ffffff", "stroke-width": 2, transform: `rotate(45 ${x} ${y})` });
      titled(mark, fill === "none" ? `${name}, at other coefficients than yours` : name);
      label(taken, [x, y], name.replace(/^expert: /, ""));
    }
    for (const [name, at] of Object.entries(known.nearest)) {
      const [x, y] = onScreen(at);
      const mark = shape("rect", { x: x - 4, y: y - 4, width: 8, height: 8, fill: "none", stroke: "#ffffff", "stroke-width": 2 });
      titled(mark, `${name}, which is no position: this is the nearest`);
      label(taken, [x, y], name);
    }
    shape("circle", { cx: here[0], cy: here[1], r: 8, fill: "none", stroke: "#000000", "stroke-width": 5 });
    titled(shape("circle", { cx: here[0], cy: here[1], r: 8, fill: "#d55e00", stroke: "#ffffff", "stroke-width": 2.5 }), "you");
  }

  function title() {
    const others = names.filter((_, i) => i !== plane.first && i !== plane.second && Math.abs(place.here[i]) >= 0.005);
    const cut = others.map((name) => `${name} ${place.here[names.indexOf(name)].toFixed(2)}`).join(", ");
    const what = quantities.selectedOptions[0].textContent;
    return `${what}, interpolated${cut ? `; cut at ${cut}` : ""}. Filled marks lie in it.`;
  }

  /** Measuring makes the browser lay the page out anew: not at every move. */
  function arrange() {
    const [first, second] = pairs.value.split(" ").map(Number);
    plane = makePlane(gram, first, second);
    measureBox();
    draw();
  }

  function draw(resting = true) {
    if (!plane) return; // before the page has a size
    drawShades(resting);
    drawMarks();
    one("map-title").textContent = title();
  }

  if (names.length < 2) {
    one("map").hidden = true;
    return () => {};
  }

  let dragging = false;
  function go(event, resting) {
    const corner = svg.getBoundingClientRect();
    const point = [box.x + (event.clientX - corner.left) / scale, box.y + box.height - (event.clientY - corner.top) / scale];
    const near = known.measured.at.find((at) => {
      const [x, y] = onScreen(at);
      return offCut(at) < 1e-6 && Math.hypot(x - event.clientX + corner.left, y - event.clientY + corner.top) < 6;
    });
    place.move(near ?? within(place.here, plane.coefficients(point)), resting);
  }
  svg.addEventListener("pointerdown", (event) => {
    dragging = true;
    svg.setPointerCapture(event.pointerId);
    go(event, false);
  });
  svg.addEventListener("pointermove", (event) => dragging && go(event, false));
  for (const end of ["pointerup", "pointercancel"]) {
    svg.addEventListener(end, () => {
      if (dragging) place.move(place.here);
      dragging = false;
    });
  }
  svg.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.01 : 0.05;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    if (!by) return;
    event.preventDefault();
    place.move(within(place.here, [place.here[plane.first] + by[0], place.here[plane.second] + by[1]]));
  });
  pairs.addEventListener("change", arrange);
  quantities.addEventListener("change", () => draw());
  new ResizeObserver(arrange).observe(one("picture"));
  return draw;
}
