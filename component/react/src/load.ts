/** Loading of the element's script, once for a page. */

const TAG = "session-booking";
const loading = new Map<string, Promise<void>>();

/**
 * Loads the element from an API, unless the page has it already. Components do so themselves; a page may do it earlier.
 *
 * @param api the API's address, such as `https://booking.example.org`.
 * @throws Error the script could not be loaded: no connection, or the page's Content-Security-Policy refuses it.
 */
export function loadElement(api: string): Promise<void> {
  if (customElements.get(TAG)) return Promise.resolve();
  const address = `${api.replace(/\/+$/, "")}/component/session-booking.js`;
  let script = loading.get(address);
  if (!script) {
    script = append(address);
    // So that the next component tries again.
    script.catch(() => loading.delete(address));
    loading.set(address, script);
  }
  return script;
}

function append(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // Where the page's policy takes no address of a script (Trusted Types), this throws, and rejects.
    const script = Object.assign(document.createElement("script"), {
      type: "module",
      crossOrigin: "anonymous",
      src: address,
    });
    script.onload = () => resolve();
    script.onerror = () => {
      script.remove();
      reject(new Error(`The booking component could not be loaded from ${address}`));
    };
    document.head.append(script);
  });
}
