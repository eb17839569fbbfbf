// Numbers as text in the page, and what "Your turn" says to them.
import assert from "node:assert/strict";
import { test } from "node:test";

import { numberOf, textOf } from "../page/scripts/dom.mjs";
import { responseTo } from "../page/scripts/exercise.mjs";
import { rateOf } from "../page/scripts/training.mjs";

const NUMBERS = [0, 0.5, 1, -1, 0.0123, 1e-4, 9.9e-5, 2.328364e-6, 1e-7, -1.234567e-7, 1e-45, 123456.7, 1e7, -2.5e7, 1e38];

test("a text that the page shows is read as its number", () => {
    for (const value of NUMBERS) {
        const read = numberOf(textOf(value, 6));
        assert.ok(Math.abs(read - value) <= 1e-5 * Math.abs(value), `${textOf(value, 6)} is read as ${read}`);
        const question = { answer: value, mistakes: [] };
        if (value !== 0) assert.match(responseTo(question, textOf(value, 6)), /^Right: /);
    }
});

test("a text that a reader types is read as its number", () => {
    for (const text of ["1.2e-3", " 0,0012 ", "1.2*10^-3", "1.2 x 10⁻³", "1.2 × 10 ^ −3", "1.2×10−3"]) assert.equal(numberOf(text), 0.0012, text);
    for (const text of ["", " ", "abc", "1.2.3", "⁻", "10⁻"]) assert.ok(Number.isNaN(numberOf(text)), text);
    assert.match(responseTo({ answer: 1, mistakes: [] }, "∞"), /is no number/);
});

test("a rate", () => {
    assert.equal(rateOf("5 × 10⁻¹"), 0.5);
    for (const text of ["", "abc", "0", "-1", "NaN", "1e999"]) assert.throws(() => rateOf(text), /^RangeError: The rate must be/);
});

test("what is no number is not shown as one", () => {
    for (const value of [undefined, null, "1"]) assert.throws(() => textOf(value), TypeError);
    assert.deepEqual([NaN, Infinity, -Infinity].map((value) => textOf(value)), ["not a number", "∞", "−∞"]);
});
