/*
 * What comes first: unpacks the scripts of the page, which are zipped like the engine, and runs them. They lie
 * unzipped in web/page/scripts.
 */
globalThis.embedded = (() => {
  /* The bytes that an element holds: 2 characters for 13 bits, one for what is left to the last byte. */
  function bytesOf(id) {
    const text = document.getElementById(id).textContent.trim();
    const digit = (at) => text.charCodeAt(at) - (text.charCodeAt(at) > 60 ? 34 : 33); /* without "<", which is 60 */
    const bytes = [];
    let bits = 0; /* those of no byte yet, */
    let count = 0; /* so many */
    for (let at = 0; at < text.length; at += 2) {
      const added = at + 1 < text.length ? 13 : 8 - count;
      bits = (bits << added) | (added === 13 ? 91 * digit(at) + digit(at + 1) : digit(at));
      for (count += added; count >= 8; count -= 8) bytes.push((bits >> (count - 8)) & 255);
      bits &= (1 << count) - 1;
    }
    return Uint8Array.from(bytes);
  }

  function unzipped(bytes) {
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  }
  return { bytesOf, unzipped };
})();
embedded.unzipped(embedded.bytesOf("scripts")).then(
  (bytes) => {
    const script = document.createElement("script");
    script.type = "module";
    script.textContent = new TextDecoder().decode(bytes);
    document.body.append(script);
  },
  (error) => {
    document.getElementById("page-message").textContent = `The scripts of this page could not be unpacked: ${error.message}. The derivation can be read all the same.`;
  },
);
