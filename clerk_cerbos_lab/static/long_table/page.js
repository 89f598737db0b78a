const unpack = (id) => {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
};

const still = document.getElementById("ccl-still");
const live = document.getElementById("ccl-live");
try {
  const [code, options] = await Promise.all([unpack("ccl-itables"), unpack("ccl-options")]);
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const { ITable, set_or_remove_dark_class } = await import(url);
  URL.revokeObjectURL(url);
  set_or_remove_dark_class();
  live.hidden = false;
  new ITable(live.querySelector("table"), JSON.parse(options));
  still.hidden = true;
} catch (error) {
  live.hidden = true;
  document.getElementById("ccl-trouble").hidden = false;
  console.error(error);
}
