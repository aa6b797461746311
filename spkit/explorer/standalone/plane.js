/** The length of V·c, from the Gram matrix. */
function lengthOf(coefficients, gram) {
  let square = 0;
  coefficients.forEach((one, i) => coefficients.forEach((other, j) => (square += one * gram[i][j] * other)));
  return Math.sqrt(Math.max(0, square));
}

/** The plane of two task vectors with their true angle and lengths, as `spkit.vectors.plane.Plane` has it: the base at
 * 0, the two vectors symmetric about the diagonal. */
function makePlane(gram, first, second) {
  const norms = gram.map((row, i) => Math.sqrt(row[i]));
  const product = norms[first] * norms[second];
  const cosine = product > 0 ? gram[first][second] / product : 0;
  const angle = Math.atan2(Math.sqrt(Math.max(1 - cosine * cosine, 1e-4)), cosine);
  const along = norms[first] || 1, other = norms[second] || 1, turned = Math.PI / 4 - angle / 2;
  const [a, c] = [along * Math.cos(turned), along * Math.sin(turned)];
  const [b, d] = [other * Math.cos(turned + angle), other * Math.sin(turned + angle)];
  const determinant = a * d - b * c;
  return {
    first,
    second,
    at: (coefficients) => {
      const [one, two] = [coefficients[first], coefficients[second]];
      return [a * one + b * two, c * one + d * two];
    },
    coefficients: ([x, y]) => [(d * x - b * y) / determinant, (a * y - c * x) / determinant],
  };
}
