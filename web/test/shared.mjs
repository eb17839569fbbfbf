// What the tests share: the module, and what the Python package computes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { instantiate, SigmaxError } from "../sigmax.mjs";

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
export const inTree = (...parts) => join(here, "..", "..", ...parts);
export const read = (...parts) => readFileSync(inTree(...parts), "utf8");
export const wasm = readFileSync(inTree("web", "build", "sigmax.wasm"));
export const sigmax = await instantiate(wasm);
export const fits = JSON.parse(read("web", "test", "fits.json"));

export function python(program, ...args) {
    const env = { ...process.env, SIGMAX_ISA: "baseline" };
    const command = process.env.PYTHON ?? "python3";
    return execFileSync(command, [inTree("web", "test", program), ...args], { env, encoding: "utf8" });
}

// The folder that expected.py fills, for as long as this process runs.
export function expectedFolder() {
    const folder = mkdtempSync(join(tmpdir(), "sigmax-"));
    process.on("exit", () => rmSync(folder, { recursive: true }));
    python("expected.py", folder);
    return folder;
}

export const arraysOf = async (folder, name) => sigmax.readNpz(readFileSync(join(folder, name)));

// The same bits, where baseline is the same; elsewhere the same numbers but for rounding.
export function assertSame(actual, expected, exact, what) {
    const a = typeof actual === "number" ? Float64Array.of(actual) : actual;
    const e = typeof expected === "number" ? Float64Array.of(expected) : expected;
    assert.equal(a.constructor.name, e.constructor.name, what);
    assert.equal(a.length, e.length, what);
    for (let i = 0; i < a.length; i++) {
        const close = exact ? Object.is(a[i], e[i]) : Math.abs(a[i] - e[i]) <= 1e-4 * Math.max(1, Math.abs(e[i]));
        assert.ok(close, `${what}[${i}] is ${a[i]}; Python has ${e[i]}`);
    }
}

// That act() throws a SigmaxError with these words, or its promise is rejected with one.
export async function assertRefused(act, words) {
    await assert.rejects(async () => act(), (error) => {
        assert.ok(error instanceof SigmaxError, `${error}`);
        assert.match(error.message, words);
        return true;
    });
}
