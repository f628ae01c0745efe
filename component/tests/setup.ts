/** Before each file of tests: none asks a real server, not even by what is still under way when a test has ended. */

import { vi } from "vitest";

globalThis.fetch = () => Promise.reject(new TypeError("Tests have no server."));
Object.assign(globalThis.navigator ?? {}, { sendBeacon: () => true });

// A loaded machine takes its time: vitest itself gives up after a second.
const { waitFor } = vi;
vi.waitFor = (callback, options = 20_000) => waitFor(callback, options);
