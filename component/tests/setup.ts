/** Before each file of tests: none asks a real server, not even by what is still under way when a test has ended. */

globalThis.fetch = () => Promise.reject(new TypeError("Tests have no server."));
Object.assign(globalThis.navigator ?? {}, { sendBeacon: () => true });
