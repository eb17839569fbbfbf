// Writing .npz files, as numpy.savez stores them; and what reading and writing have in common.

export const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50; // the marks of a zip archive's records
export const END_BYTES = 22;
export const STORED = 0, DEFLATED = 8;
const FORMAT_2_0 = 20, FIRST_OF_JANUARY_1980 = 0x21;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    return crc;
});

export function crc32(bytes) {
    let crc = 0xffffffff;
    for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
    return ~crc >>> 0;
}

export function joined(pieces) {
    const result = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
        result.set(piece, at);
        at += piece.length;
    }
    return result;
}

// Little-endian numbers, each with its number of bytes, 2 or 4.
function record(...fields) {
    const view = new DataView(new ArrayBuffer(fields.reduce((sum, [, bytes]) => sum + bytes, 0)));
    let at = 0;
    for (const [value, bytes] of fields) {
        if (bytes === 2) view.setUint16(at, value, true);
        else view.setUint32(at, value, true);
        at += bytes;
    }
    return new Uint8Array(view.buffer);
}

// The bytes of { name: { descr, shape, data } }.
export function writeNpz(arrays) {
    const pieces = [], directory = [];
    let offset = 0;
    for (const [name, array] of Object.entries(arrays)) {
        const content = npyOf(array), encoded = new TextEncoder().encode(`${name}.npy`), bytes = content.length;
        const common = [
            [FORMAT_2_0, 2], [0, 2], [STORED, 2], [0, 2], [FIRST_OF_JANUARY_1980, 2],
            [crc32(content), 4], [bytes, 4], [bytes, 4], [encoded.length, 2], [0, 2],
        ];
        const local = record([LOCAL, 4], ...common);
        const entry = record([CENTRAL, 4], [FORMAT_2_0, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]);
        directory.push(entry, encoded);
        pieces.push(local, encoded, content);
        offset += local.length + encoded.length + bytes;
    }
    const count = directory.length / 2, directoryBytes = directory.reduce((sum, piece) => sum + piece.length, 0);
    const end = record([END, 4], [0, 2], [0, 2], [count, 2], [count, 2], [directoryBytes, 4], [offset, 4], [0, 2]);
    return joined([...pieces, ...directory, end]);
}

function npyOf({ descr, shape, data }) {
    const dimensions = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
    const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${dimensions}), }`;
    const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10; // so that the values are aligned
    const encoded = new TextEncoder().encode(`${header.padEnd(length - 1)}\n`);
    const magic = Uint8Array.of(0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, length & 255, length >> 8);
    return joined([magic, encoded, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
}
