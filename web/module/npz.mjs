// Reading .npz files: zip archives of .npy arrays (PKWARE APPNOTE; numpy.lib.format; RFC 1952).

import { isList, refuse, shown, SigmaxError } from "./checks.mjs";
import { CENTRAL, crc32, DEFLATED, END, END_BYTES, joined, LOCAL, STORED } from "./npz_writing.mjs";

const NPY_TYPES = {
    "<f4": ["float32", Float32Array],
    "<f8": ["float64", Float64Array],
    "|b1": ["bool", Uint8Array],
    "|u1": ["uint8", Uint8Array],
    "|i1": ["int8", Int8Array],
    "<u2": ["uint16", Uint16Array],
    "<i2": ["int16", Int16Array],
    "<u4": ["uint32", Uint32Array],
    "<i4": ["int32", Int32Array],
    "<u8": ["uint64", BigUint64Array],
    "<i8": ["int64", BigInt64Array],
};
const LONGEST_HEADER = 1024; // NumPy's own for numbers and text has 118 bytes
const HEADER = /^\{'descr': *'([^'\\]*)', *'fortran_order': *(True|False), *'shape': *\(([\d, ]*)\),? *\}\s*$/;

function refuseArchive(problem) {
    throw new SigmaxError(`not a sound .npz file: ${problem}`);
}

function asBytes(source) {
    if (source instanceof ArrayBuffer) return new Uint8Array(source);
    if (isList(source) && !Array.isArray(source))
        return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    return refuse("bytes", source, "an ArrayBuffer or a typed array, the contents of an .npz file");
}

// A Map from the name of each array to { dtype, shape, data }.
export async function readNpz(source) {
    const bytes = asBytes(source), arrays = new Map();
    for (const member of membersOf(bytes)) {
        const name = member.name.replace(/\.npy$/, "");
        if (arrays.has(name)) refuseArchive(`it holds ${shown(name)} more than once`);
        arrays.set(name, asArray(await contentOf(bytes, member), name));
    }
    return arrays;
}

// ---- the archive ---------------------------------------------------------------------------------------------------

function membersOf(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), end = bytes.length - END_BYTES;
    if (end < 0 || view.getUint32(0, true) !== LOCAL) refuseArchive("it does not start like an .npz archive");
    if (view.getUint32(end, true) !== END) refuseArchive("truncated or damaged: the end of the archive is missing");
    const members = [], count = view.getUint16(end + 10, true);
    try {
        let at = view.getUint32(end + 16, true);
        for (let i = 0; i < count; i++) {
            if (view.getUint32(at, true) !== CENTRAL) refuseArchive("damaged: its directory has no mark");
            const start = view.getUint32(at + 42, true);
            if (view.getUint32(start, true) !== LOCAL) refuseArchive("damaged: an array has no mark");
            const nameEnd = at + 46 + view.getUint16(at + 28, true);
            members.push({
                name: new TextDecoder().decode(bytes.subarray(at + 46, nameEnd)),
                encrypted: (view.getUint16(at + 8, true) & 1) !== 0,
                method: view.getUint16(at + 10, true),
                crc: view.getUint32(at + 16, true),
                packed: view.getUint32(at + 20, true),
                size: view.getUint32(at + 24, true),
                start: start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true),
            });
            at = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
        }
        if (at !== end) refuseArchive("damaged: its directory has another length than it says");
    } catch (error) {
        if (error instanceof RangeError) refuseArchive("truncated or damaged: it points beyond its end");
        throw error;
    }
    return members;
}

// Reads no more bytes than the directory promises, and checks their number and their checksum.
async function contentOf(bytes, { name, encrypted, method, crc, packed, size, start }) {
    if (encrypted) refuseArchive(`${shown(name)} is encrypted`);
    if (start + packed > bytes.length) refuseArchive(`truncated or damaged: ${shown(name)} ends beyond the file`);
    if (method !== STORED && method !== DEFLATED)
        refuseArchive(`${shown(name)} is packed by method ${method}; expected 0 (stored) or 8 (deflate)`);
    const raw = bytes.subarray(start, start + packed);
    const content = method === STORED ? raw.slice() : await inflated(raw, crc, size, name);
    if (content.length !== size || crc32(content) !== crc)
        refuseArchive(`damaged: ${shown(name)} has a wrong checksum`);
    return content;
}

// By gzip, whose frame is made here of what the archive says: not every DecompressionStream takes deflate without one.
async function inflated(raw, crc, size, name) {
    const frame = new Uint8Array(raw.length + 18), view = new DataView(frame.buffer);
    frame.set([0x1f, 0x8b, DEFLATED, 0, 0, 0, 0, 0, 0, 255]);
    frame.set(raw, 10);
    view.setUint32(frame.length - 8, crc, true);
    view.setUint32(frame.length - 4, size, true);
    const reader = new Blob([frame]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
    const pieces = [];
    let length = 0;
    try {
        for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
            length += piece.value.length;
            if (length > size) throw new RangeError("more bytes than promised");
            pieces.push(piece.value);
        }
    } catch {
        reader.cancel().catch(() => {});
        refuseArchive(`damaged: ${shown(name)} cannot be unpacked`);
    }
    return joined(pieces);
}

// ---- an array ------------------------------------------------------------------------------------------------------

// { dtype, shape, data }, data in C order: a typed array, or an array of strings.
function asArray(content, name) {
    const { descr, isFortran, shape, start } = headerOf(content, name);
    const width = /^<U\d+$/.test(descr) ? Number(descr.slice(2)) : null;
    const [dtype, type] = width !== null ? ["str", Uint32Array] : (NPY_TYPES[descr] ?? []);
    if (type === undefined) {
        const known = Object.keys(NPY_TYPES).join(" ");
        refuseArchive(`${shown(name)} has type ${shown(descr)}; expected one of ${known} <U`);
    }
    const count = shape.reduce((product, n) => product * n, 1);
    const promised = count * (width ?? 1) * type.BYTES_PER_ELEMENT, present = content.length - start;
    if (promised !== present || !Number.isSafeInteger(count))
        refuseArchive(`${shown(name)}: its header promises ${promised} bytes of values; ${present} are there`);
    const values = new type(content.slice(start).buffer);
    const data = width === null ? values : stringsOf(values, width, count, name);
    return { dtype, shape, data: isFortran ? inCOrder(data, shape) : data };
}

function headerOf(content, name) {
    const latin = (from, to) => String.fromCharCode(...content.subarray(from, to));
    if (content.length < 12 || latin(0, 6) !== "\x93NUMPY") refuseArchive(`${shown(name)} is no .npy array`);
    const version = content[6], view = new DataView(content.buffer);
    if (version < 1 || version > 3)
        refuseArchive(`${shown(name)} has version ${version} of the .npy format; expected 1, 2 or 3`);
    const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
    const start = (version === 1 ? 10 : 12) + length;
    if (length > LONGEST_HEADER)
        refuseArchive(`${shown(name)}: its header has ${length} bytes; expected ${LONGEST_HEADER} or less`);
    const found = HEADER.exec(latin(start - length, start).trim());
    if (found === null) refuseArchive(`${shown(name)}: its header is not that of an array of numbers or text`);
    const shape = found[3].split(",").filter((n) => n.trim() !== "").map(Number);
    return { descr: found[1], isFortran: found[2] === "True", shape, start };
}

function stringsOf(points, width, count, name) {
    const wrong = points.find((point) => point > 0x10ffff);
    if (wrong !== undefined) refuseArchive(`${shown(name)} holds ${wrong}, which is no code point`);
    return Array.from({ length: count }, (_, i) => {
        const string = points.subarray(i * width, (i + 1) * width);
        const length = string.findLastIndex((point) => point !== 0) + 1;
        return String.fromCodePoint(...string.subarray(0, length));
    });
}

// The first index of what was written moves fastest; in C order the last one does.
function inCOrder(data, shape) {
    return data.map((_, place) => {
        let from = 0, stride = data.length, left = place;
        for (let axis = shape.length - 1; axis >= 0; axis--) {
            stride /= shape[axis];
            from += (left % shape[axis]) * stride;
            left = Math.floor(left / shape[axis]);
        }
        return data[from];
    });
}
