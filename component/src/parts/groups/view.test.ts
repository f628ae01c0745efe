import { LitElement, html, render } from "lit";
import { expect, it } from "vitest";
import type { Bundle, GroupSession } from "../../api/types.js";
import { initialState } from "../../booking/state.js";
import type { Groups, GroupsState } from "./groups.js";
import { renderGroups } from "./view.js";
import { de } from "../../i18n/enhanced/de.js";
import { extrasEn } from "../../i18n/enhanced/extras-en.js";
import { en as sessionEn } from "../../i18n/enhanced/words.js";
import { Store } from "../../core/store.js";
import { booking, quote } from "../../../tests/session-fixtures.js";

const en = { ...sessionEn, ...extrasEn };

const GROUP = {
  ...booking({ id: "g1", title: "Exercises", courseId: "c1", startTime: "2030-05-04T09:00:00Z", endTime: "2030-05-04T10:00:00Z" }),
  ...{ capacity: 2, seatsTaken: 1, seatsOffered: 0, full: false, joined: false, waitlistPosition: null },
  ...{ cancellationPolicy: { windowHours: 24, lateFeePercent: 50 }, cancelledAt: null },
} as unknown as GroupSession;
const BUNDLES = [
  { id: "b1", remainingSessions: 2, validTo: "2030-06-01T00:00:00Z" },
  { id: "b2", remainingSessions: 1, validTo: null },
] as Bundle[];

/** A page with these groups; `again` renders it with a changed state. */
function page(groups: GroupSession[], change: Partial<GroupsState> = {}, words = en) {
  const state = { groups, hasMore: false, bundles: [], quotes: new Map(), keptUntil: new Map(), busy: null, done: null, failure: null, form: null, answers: new Map(), fieldErrors: null, paying: null };
  const joined: string[] = [];
  const store = new Store<GroupsState>({ ...state, ...change });
  const part = {
    store,
    context: { store: new Store(initialState("UTC", "2030-05-01")), words: { code: words === de ? "de" : "en" }, element: LitElement.prototype },
    words: () => words,
    ask: () => undefined,
    isOwn: () => false,
    bundlesFor: () => store.state.bundles,
    look: () => undefined,
    join: (_: GroupSession, bundleId: string) => joined.push(bundleId),
  } as unknown as Groups;
  const root = document.createElement("div");
  const again = (changed: Partial<GroupsState> = {}): HTMLElement => {
    store.update(changed);
    render(html`${renderGroups(part, words === de ? "de" : "en")}`, root);
    return root;
  };
  return { root: again(), again, joined };
}

it("proposes the bundle, which is paid already, also when it is read later", () => {
  const { root, again, joined } = page([GROUP]);
  again({ bundles: BUNDLES });
  const select = root.querySelector("select") as HTMLSelectElement;
  expect([...select.options].map((option) => option.value)).toEqual(["b1", "b2", ""]);
  expect(select.value).toBe("b1");
  root.querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));
  expect(joined).toEqual(["b1"]);
});

it("names the price where nothing else pays", () => {
  const { root } = page([GROUP]);
  expect(root.querySelector("button")?.textContent?.trim()).toBe("Take a place: €85");
  expect(root.textContent).toContain("After that, 50% of the price is due.");
});

it("keeps each group's form its own when an earlier one has begun", () => {
  const other = { ...GROUP, id: "g2", title: "Questions" };
  const { root, again } = page([GROUP, other]);
  const second = root.querySelector("[data-group=g2] details") as HTMLDetailsElement;
  second.open = true;
  again({ groups: [other] });
  expect(root.querySelector("[data-group=g2] details")).toBe(second);
});

it("closes what was open once the place is taken", () => {
  const { root, again } = page([GROUP]);
  (root.querySelector("details") as HTMLDetailsElement).open = true;
  again({ groups: [{ ...GROUP, joined: true }], done: { id: "g1", sentence: en.groups.done } });
  expect(root.querySelector("details")?.open).toBe(false);
  expect(root.textContent).toContain(en.groups.done);
});

it("is German as a whole", () => {
  const groups = [
    { ...GROUP, id: "free" },
    { ...GROUP, id: "mine", joined: true },
    { ...GROUP, id: "full", full: true },
    { ...GROUP, id: "line", full: true, waitlistPosition: 2 },
    { ...GROUP, id: "kept", full: true, seatsOffered: 1, waitlistPosition: 1 },
  ];
  const { root } = page(groups, { bundles: BUNDLES, quotes: new Map([["mine", quote()]]) }, de);
  const english = new Set(Object.values(en.groups).filter((word) => typeof word === "string"));
  const shown = [...root.querySelectorAll("*")].flatMap((each) => (each.children.length ? [] : each.textContent?.trim() ?? ""));
  expect(shown.filter((text) => english.has(text))).toEqual([]);
});
