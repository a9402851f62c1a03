// Bytes that lie as base64 in inert elements of the page.

function bytesOf(text) {
  const plain = atob(text);
  const bytes = new Uint8Array(plain.length);
  for (let i = 0; i < plain.length; i += 1) bytes[i] = plain.charCodeAt(i);
  return bytes;
}

function textOf(id) {
  const element = document.getElementById(id);
  return element === null ? "" : element.textContent;
}

// Runs of the same byte: the byte, and its count in two bytes. `starts` has where each row's runs begin.
function rowsOfRuns(bytes, cells, rows) {
  const starts = new Uint32Array(rows + 1);
  let at = 0;
  for (let row = 0; row < rows; row += 1) {
    starts[row] = at;
    for (let told = 0; told < cells; at += 3) told += bytes[at + 1] + 256 * bytes[at + 2];
  }
  starts[rows] = at;
  return starts;
}
