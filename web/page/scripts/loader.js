/*
 * What comes first: unpacks the scripts of the page, which are zipped like the engine, and runs them. They lie
 * unzipped in web/page/scripts.
 */
globalThis.embedded = (() => {
  const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

  /* The bytes that an element holds in base 85: five characters for four bytes, the last group cut short. */
  function bytesOf(id) {
    const text = document.getElementById(id).textContent.trim();
    const value = new Uint8Array(128);
    [...DIGITS].forEach((digit, i) => (value[digit.charCodeAt(0)] = i));
    const length = Math.floor((text.length * 4) / 5);
    const bytes = new Uint8Array(Math.ceil(text.length / 5) * 4);
    for (let i = 0; 5 * i < text.length; i++) {
      let group = 0;
      for (let k = 5 * i; k < 5 * i + 5; k++) group = group * 85 + (k < text.length ? value[text.charCodeAt(k)] : 84);
      for (let k = 3; k >= 0; k--) {
        bytes[4 * i + k] = group % 256;
        group = Math.floor(group / 256);
      }
    }
    return bytes.subarray(0, length);
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
