// The memory of the C library.

import { SigmaxError } from "./checks.mjs";
import { CONSTANTS } from "./header.mjs";

export class Memory {
    constructor(exports) {
        this.c = exports;
    }

    get buffer() {
        return this.c.memory.buffer;
    }

    // A pointer to so many bytes, which the caller frees.
    allocate(bytes) {
        const pointer = bytes < 2 ** 32 ? this.c.malloc(Math.max(bytes, 1)) >>> 0 : 0;
        if (pointer !== 0) return pointer;
        const asked = bytes.toLocaleString("en");
        throw new SigmaxError(`memory: there are no ${asked} bytes left; expected fewer rows, or a smaller network`);
    }

    // Calls use(take), where take(bytes) allocates what is freed when use has returned or thrown.
    borrow(use) {
        const pointers = [];
        const take = (bytes) => {
            pointers.push(this.allocate(bytes));
            return pointers.at(-1);
        };
        try {
            return use(take);
        } finally {
            for (const pointer of pointers) this.c.free(pointer);
        }
    }

    write(pointer, array) {
        new array.constructor(this.buffer, pointer, array.length).set(array);
        return pointer;
    }

    read(type, pointer, length) {
        return new type(this.buffer, pointer, length).slice();
    }

    zero(pointer, bytes) {
        new Uint8Array(this.buffer, pointer, bytes).fill(0);
        return pointer;
    }

    setFields(pointer, layout, values) {
        const view = new DataView(this.buffer);
        for (const [name, value] of Object.entries(values)) {
            const { offset, kind } = layout.fields[name];
            view[`set${kind}`](pointer + offset, value, true);
        }
        return pointer;
    }

    field(pointer, layout, name) {
        const { offset, kind } = layout.fields[name];
        return new DataView(this.buffer)[`get${kind}`](pointer + offset, true);
    }

    text(pointer) {
        const bytes = new Uint8Array(this.buffer, pointer);
        return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
    }

    check(status) {
        if (status === CONSTANTS.SIGMAX_OK) return;
        throw new SigmaxError(this.text(this.c.sigmax_status_text(status)));
    }
}
