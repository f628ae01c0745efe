/** A small store of records in IndexedDB, shared by all tabs; where there is none, everything is forgotten. */

const NAME = "tutelage";
const TABLES = ["queue", "seen"] as const;

type Table = (typeof TABLES)[number];

export interface Records<T> {
  get(key: string): Promise<T | undefined>;
  all(): Promise<T[]>;
  /** @throws DOMException storage is blocked or full. */
  put(key: string, record: T): Promise<void>;
  delete(key: string): Promise<void>;
}

export function recordsOf<T>(table: Table): Records<T> {
  const run = async <R>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<R>): Promise<R> => {
    const database = await open();
    try {
      const transaction = database.transaction(table, mode);
      const request = work(transaction.objectStore(table));
      return await new Promise((resolve, reject) => {
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = () => reject(transaction.error ?? new DOMException("Aborted.", "AbortError"));
      });
    } finally {
      database.close();
    }
  };
  return {
    get: (key) => run("readonly", (store) => store.get(key) as IDBRequest<T | undefined>).catch(() => undefined),
    all: () => run("readonly", (store) => store.getAll() as IDBRequest<T[]>).catch(() => []),
    put: async (key, record) => void (await run("readwrite", (store) => store.put(record, key))),
    delete: (key) => run("readwrite", (store) => store.delete(key)).catch(() => undefined),
  };
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => TABLES.forEach((table) => request.result.createObjectStore(table));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new DOMException("Blocked.", "UnknownError"));
  });
}
