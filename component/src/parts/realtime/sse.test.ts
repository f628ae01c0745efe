// @vitest-environment node
import { describe, expect, it } from "vitest";
import { EventParser, type ServerEvent } from "./sse.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string): ServerEvent[] => new EventParser().push(bytes(text));

describe("server-sent events", () => {
  it("reads name, data and id", () => {
    expect(parse('id: 7.1\nevent: busy\ndata: {"a":1}\n\n')).toEqual([{ type: "busy", data: '{"a":1}', id: "7.1" }]);
  });

  it("is the same however the bytes are cut", () => {
    const text = "\uFEFFretry: 150\r\n\r\n: hb\r\n\r\nid: 1\r\ndata: zwölf €\r\ndata:  two\r\r\nevent: x\ndata\n\nid: 2\ndata: last\n\n";
    const whole = parse(text);
    expect(whole).toEqual([
      { type: "message", data: "zwölf €\n two", id: "1" },
      { type: "x", data: "", id: "1" },
      { type: "message", data: "last", id: "2" },
    ]);
    const all = bytes(text);
    for (let size = 1; size < 12; size++) {
      const parser = new EventParser();
      const found: ServerEvent[] = [];
      for (let at = 0; at < all.length; at += size) found.push(...parser.push(all.subarray(at, at + size)));
      expect(found).toEqual(whole);
      expect(parser.retry).toBe(150);
    }
  });

  it("leaves out comments, unknown fields and events without data", () => {
    expect(parse(": hb\n\nevent: busy\n\nfoo: bar\nid: 3\n\ndata: x\n\n")).toEqual([{ type: "message", data: "x", id: "3" }]);
  });

  it("takes neither an id with NUL nor a retry that is no number", () => {
    const parser = new EventParser("1");
    expect(parser.push(bytes("id: a\0b\nretry: soon\ndata: x\n\n"))).toEqual([{ type: "message", data: "x", id: "1" }]);
    expect(parser.retry).toBeNull();
  });

  it("hands out nothing that is not complete", () => {
    expect(parse("data: half\n")).toEqual([]);
  });
});
