import { expect, it } from "vitest";
import { linkOf } from "../src/view.js";

it("links to addresses of the web alone", () => {
  expect(linkOf("https://www.example.org/sign-in?next=%2F")).toBe("https://www.example.org/sign-in?next=%2F");
  expect(linkOf("/sign-in")).toBe("/sign-in");
  for (const address of ["javascript:alert(1)", " java\tscript:alert(1)", "data:text/html,x", "https://", "", null]) {
    expect(linkOf(address)).toBeNull();
  }
});
