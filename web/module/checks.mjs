// The error of this module, and the checks of arguments that raise it.

export const GREATEST_SEED = 2n ** 64n - 1n;

export class SigmaxError extends Error {
    name = "SigmaxError";
}

export function isList(value) {
    return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

export function shown(value) {
    if (typeof value === "string") return JSON.stringify(value);
    if (typeof value === "bigint") return `${value}n`;
    if (isList(value)) {
        const first = Array.from(value.slice(0, 6), shown).join(", ");
        return `[${first}${value.length > 6 ? ", ..." : ""}]`;
    }
    if (value !== null && typeof value === "object") return `an object (${value.constructor?.name ?? "plain"})`;
    return String(value);
}

export function refuse(name, value, expected) {
    throw new SigmaxError(`${name} is ${shown(value)}; expected ${expected}`);
}

export function asInteger(value, name, least, greatest = Number.MAX_SAFE_INTEGER) {
    const range = greatest === Number.MAX_SAFE_INTEGER ? `>= ${least}` : `from ${least} to ${greatest}`;
    if (!Number.isSafeInteger(value) || value < least || value > greatest) refuse(name, value, `an integer ${range}`);
    return value;
}

export const SEED = "an integer from 0 to 2**64 - 1, a BigInt where it is above 2**53";

export function isSeed(value) {
    if (typeof value === "bigint") return value >= 0n && value <= GREATEST_SEED;
    return Number.isSafeInteger(value) && value >= 0;
}

export function asSeed(value, name) {
    if (!isSeed(value)) refuse(name, value, SEED);
    return BigInt(value);
}

export function asChoice(value, name, choices) {
    if (typeof value !== "string" || !Object.hasOwn(choices, value))
        refuse(name, value, `one of ${Object.keys(choices).map(shown).join(", ")}`);
    return value;
}

export function asSizes(sizes) {
    if (!isList(sizes) || sizes.length < 2)
        refuse("sizes", sizes, "at least two integers, inputs and classes, like [784, 30, 10]");
    const last = sizes.length - 1;
    return Array.from(sizes, (n, i) => asInteger(n, `sizes[${i}]`, i === last ? 2 : 1, 2 ** 31 - 1));
}

// Numbers as a typed array of one of the DTYPES; a NaN or an infinity is not looked for here.
export function asReals(values, name, dtype) {
    if (!isList(values)) refuse(name, values, "a typed array, or an array of numbers");
    if (Array.isArray(values)) {
        const i = values.findIndex((value) => typeof value !== "number");
        if (i >= 0) refuse(`${name}[${i}]`, values[i], "a number; rows stand one after the other in one flat array");
    }
    return values instanceof dtype.array ? values : dtype.array.from(values, Number);
}

export function firstNotFinite(values) {
    for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
    return -1;
}

export const isFinitePositive = (x) => Number.isFinite(x) && x > 0;
export const isAtLeast0 = (x) => Number.isFinite(x) && x >= 0;
export const isShare = (x) => isAtLeast0(x) && x < 1;
