// @vitest-environment node
import { expect, it } from "vitest";
import { formatMoney, fractionDigits } from "./money.js";

it("is shown in the minor units of its currency", () => {
  expect(formatMoney({ amount: 4000, currency: "USD" }, "en-US")).toBe("$40");
  expect(formatMoney({ amount: 4050, currency: "USD" }, "en-US")).toBe("$40.50");
  expect(formatMoney({ amount: 4500, currency: "JPY" }, "en-US")).toBe("¥4,500");
  expect(formatMoney({ amount: 1250, currency: "KWD" }, "en-US")).toMatch(/^KWD\s1\.250$/);
  expect(formatMoney({ amount: 4550, currency: "EUR" }, "de-DE")).toMatch(/^45,50\s€$/);
  expect(fractionDigits("KWD")).toBe(3);
});

it("has the decimals of ISO 4217, also where browsers show none", () => {
  expect(formatMoney({ amount: 1250, currency: "IQD" }, "en-US")).toMatch(/^IQD\s1\.250$/);
  expect(formatMoney({ amount: 1250, currency: "LAK" }, "en-US")).toMatch(/^LAK\s12\.50$/);
  expect(formatMoney({ amount: 100_000, currency: "RSD" }, "en-US")).toMatch(/^RSD\s1,000$/);
});
