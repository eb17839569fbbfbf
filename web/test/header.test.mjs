// That the constants, structs and calls in module/ are those of csrc/sigmax_api.h, and the types those of the module.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

import { CONSTANTS, DATA, INITS, OPTIMIZERS, PROGRESS, STRUCTS, TRAINING } from "../module/header.mjs";
import { Network, VERSION } from "../sigmax.mjs";
import * as face from "../sigmax.mjs";
import { inTree, read, sigmax, wasm } from "./shared.mjs";

const header = read("csrc", "sigmax_api.h").replace(/\/\*[^]*?\*\/|\/\/.*/g, "");

test("constants", () => {
    const inHeader = Object.fromEntries(Array.from(header.matchAll(/\b(SIGMAX_\w+) = (\d+)/g), ([, name, value]) => [name, Number(value)]));
    assert.ok(Object.keys(inHeader).length > 25);
    for (const [name, value] of Object.entries(CONSTANTS)) assert.equal(value, inHeader[name], name);
    const enumOf = (name) => header.match(new RegExp(`enum ${name} \\{([^}]*)\\}`))[1].match(/SIGMAX_\w+/g).map((n) => n.slice(7).toLowerCase());
    assert.deepEqual(Object.keys(INITS), enumOf("sigmax_init"));
    assert.deepEqual(Object.keys(OPTIMIZERS), enumOf("sigmax_optimizer"));
});

test("fields of structs", () => {
    const scalars = ["size_t", "int", "double", "uint64_t"];
    for (const [name, fields] of Object.entries(STRUCTS)) {
        const body = header.match(new RegExp(`struct ${name} \\{([^}]*)\\} ${name};`))[1];
        const inHeader = body.split(";").map((line) => line.trim()).filter(Boolean).flatMap((line) => {
            const [, type, names] = line.match(/^(?:const )?(\w+) (.*)$/s);
            return names.split(",").map((field) => [field.replace("*", "").trim(), field.includes("*") ? "pointer" : type]);
        });
        assert.deepEqual(Object.entries(fields), inHeader, name);
        for (const type of Object.values(fields)) assert.ok(type === "pointer" || scalars.includes(type), type);
    }
    // By hand: 4 bytes for a pointer and a size_t, 8 for a double, each at a multiple of its size.
    assert.deepEqual([DATA.size, TRAINING.size, PROGRESS.size], [24, 136, 40]);
    assert.deepEqual([TRAINING.fields.learning_rate.offset, TRAINING.fields.momentum.offset, PROGRESS.fields.step.offset], [8, 72, 32]);
});

test("the module exports every function of the header, and imports nothing", () => {
    const module = new WebAssembly.Module(wasm);
    const functions = Array.from(header.matchAll(/\b(sigmax_\w+)\(/g), ([, name]) => name);
    assert.ok(functions.length > 35);
    const exports = WebAssembly.Module.exports(module).map(({ name }) => name);
    assert.deepEqual(exports.sort(), [...functions, "_initialize", "free", "malloc", "memory"].sort());
    assert.deepEqual(WebAssembly.Module.imports(module), []);
    assert.ok(wasm.length <= 130_000, `${wasm.length} bytes`);
});

test("calls name functions that there are", () => {
    const files = ["sigmax.mjs", ...readdirSync(inTree("web", "module")).map((name) => `module/${name}`)];
    for (const file of files) {
        for (const [, name] of read("web", file).matchAll(/\bc\.(sigmax_\w+)/g)) assert.ok(header.includes(`${name}(`), `${file}: ${name}`);
    }
});

test("the version is that of the package", () => {
    assert.equal(VERSION, read("pyproject.toml").match(/^version = "(.*)"$/m)[1]);
    assert.equal(sigmax.version, VERSION);
    assert.equal(sigmax.instructionSet, "baseline");
    assert.match(sigmax.compiler, /clang \d+/);
});

// The names that a class or an interface of the types has.
function typed(name) {
    const types = read("web", "sigmax.d.mts").replace(/\/\*\*[^]*?\*\/|\/\/.*/g, "");
    const body = types.match(new RegExp(`(?:class|interface) ${name} [^{]*\\{\n([^]*?)\n\\}`))[1];
    return Array.from(body.matchAll(/^    (?:readonly )?(\w+)[(:?]/gm), ([, member]) => member).filter((member) => member !== "constructor");
}

const membersOf = (object) => [...Object.keys(object), ...Object.getOwnPropertyNames(Object.getPrototypeOf(object))].filter((member) => member !== "constructor");

test("types", () => {
    const network = sigmax.network({ sizes: [2, 2] });
    assert.deepEqual(typed("Network").sort(), membersOf(network).sort());
    assert.deepEqual(typed("Sigmax").sort(), membersOf(sigmax).sort());
    assert.deepEqual(Object.keys(face).sort(), ["Network", "SigmaxError", "VERSION", "instantiate"]);
    assert.deepEqual(typed("Backprop").sort(), Object.keys(network.backprop([1, 2], [0])).sort());
    assert.deepEqual(typed("History").sort(), Object.keys(network.fit([1, 2], [0], { epochs: 0 })).sort());
    assert.ok(network instanceof Network);
});
