// What is looked at, kept in the address after #, so that a link leads to the same view.

function readPlace() {
  const found = {};
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) found[name] = value;
  return found;
}

function writePlace(place) {
  const told = new URLSearchParams();
  for (const [name, value] of Object.entries(place)) if (value) told.set(name, value);
  const hash = told.toString();
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}
