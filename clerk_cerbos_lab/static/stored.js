const bytes = Uint8Array.from(atob("$code"), (c) => c.charCodeAt(0));
const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
const url = URL.createObjectURL(new Blob([await new Response(plain).blob()], { type: "text/javascript" }));
const { revive } = await import(url);
URL.revokeObjectURL(url);
await revive("$name", ["$data"], $deflated, $state);
