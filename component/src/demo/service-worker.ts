/**
 * Service worker of the demo pages: they open without a connection, by the component's files and the pages themselves.
 *
 * Answers of the API are never kept: they may be about people.
 */

export {};

declare const self: ServiceWorkerGlobalScope;

const CACHE = "tutelage-component";
/** `/component/` or `/api/component/`: where this script came from. */
const ROOT = new URL("./", self.location.href).href;
const MANIFEST = `${ROOT}manifest.json`;
const PAGES = [`${ROOT}demo`, `${ROOT}demo/realtime`];
const EXTRAS = [`${ROOT}config.json`, `${ROOT}demo/app.webmanifest`, `${ROOT}demo/icon.svg`];
/** After this, what is kept is good enough. */
const SLOW_MS = 4_000;

self.addEventListener("install", (event) => {
  event.waitUntil(refresh().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const kind = kindOf(request);
  if (kind === "other") return;
  event.respondWith(kind === "immutable" ? fromCache(request) : fromNetwork(request));
  // A page that was loaded is the time to look for a new version.
  if (kind === "page") event.waitUntil(refresh().catch(() => undefined));
});

type Kind = "page" | "stable" | "immutable" | "other";

/** The kind of a request; `other` goes its own way: the API, other sites, everything that is signed in. */
function kindOf(request: Request): Kind {
  const { href, origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin || request.headers.has("Authorization")) return "other";
  if (!href.startsWith(ROOT)) return "other";
  const path = pathname.slice(new URL(ROOT).pathname.length);
  if (request.mode === "navigate") return /^demo(\/[a-z]*)?$/.test(path) ? "page" : "other";
  if (EXTRAS.includes(href)) return "stable";
  if (!/^[\w-]+\.(js|json)$/.test(path)) return "other";
  return /-[\w-]{8}\.js$/.test(path) && path !== "session-booking.js" ? "immutable" : "stable";
}

async function fromCache(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request.url);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request.url, answer.clone());
  return answer;
}

/** From the network; what was kept where that fails or is slow. */
async function fromNetwork(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request.url);
  const answer = fetch(request).then(async (found) => {
    if (found.ok && !found.redirected) await cache.put(request.url, found.clone());
    return found;
  });
  if (!kept) return answer;
  const slow = new Promise<Response>((resolve) => setTimeout(() => resolve(kept), SLOW_MS));
  return Promise.race([answer.catch(() => kept), slow]);
}

/** Keeps the files of the present version, and forgets earlier ones. */
async function refresh(): Promise<void> {
  const cache = await caches.open(CACHE);
  const answer = await fetch(MANIFEST, { cache: "no-cache" });
  if (!answer.ok) return;
  const text = await answer.clone().text();
  if (text === (await (await cache.match(MANIFEST))?.text())) return;
  const names = Object.keys((JSON.parse(text) as { files: Record<string, unknown> }).files);
  const files = names.filter((name) => name.endsWith(".js") && name !== "service-worker.js").map((name) => ROOT + name);
  await cache.addAll(files.map((file) => new Request(file, { cache: "no-cache" })));
  // Pages name the digests of their scripts: pages of another version would load none.
  const old = (await cache.keys()).filter((each) => !files.includes(each.url));
  await Promise.all(old.map((each) => cache.delete(each)));
  // Demo pages may be turned off.
  await Promise.all([...PAGES, ...EXTRAS].map((each) => cache.add(each).catch(() => undefined)));
  await cache.put(MANIFEST, answer);
}
