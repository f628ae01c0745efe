/** Parser of server-sent events (WHATWG HTML, 9.2.6): bytes in chunks cut anywhere, events out. */

export interface ServerEvent {
  /** `message` where the stream names none. */
  type: string;
  data: string;
  /** The last id that came with it or before it. */
  id: string;
}

const MAX_EVENT_CHARACTERS = 8_000_000;

export class EventParser {
  /** The stream's pause before a reconnection, in milliseconds; null where it names none. */
  retry: number | null = null;
  readonly #decoder = new TextDecoder();
  #line = "";
  #isAfterCarriageReturn = false;
  #type = "";
  #data: string[] = [];
  #size = 0;

  /** @param id the last id that is known from before. */
  constructor(private id = "") {}

  /**
   * The events that are complete with these bytes.
   *
   * @throws RangeError an event is too large to be one of ours.
   */
  push(bytes: Uint8Array): ServerEvent[] {
    let text = this.#decoder.decode(bytes, { stream: true });
    // The line has ended with the carriage return; its line feed came in the next chunk.
    if (this.#isAfterCarriageReturn && text.startsWith("\n")) text = text.slice(1);
    else if (!text) return [];
    this.#isAfterCarriageReturn = text.endsWith("\r");
    const lines = (this.#line + text).split(/\r\n|\r|\n/);
    this.#line = lines.pop() ?? "";
    if (this.#size + this.#line.length > MAX_EVENT_CHARACTERS) throw new RangeError("The event is too large.");
    return lines.flatMap((line) => this.#take(line) ?? []);
  }

  #take(line: string): ServerEvent | null {
    if (!line) return this.#complete();
    const colon = line.indexOf(":");
    // A comment.
    if (colon === 0) return null;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") {
      this.#data.push(value);
      this.#size += value.length;
    } else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }

  #complete(): ServerEvent | null {
    const [type, data] = [this.#type, this.#data];
    this.#type = "";
    this.#data = [];
    this.#size = 0;
    return data.length ? { type: type || "message", data: data.join("\n"), id: this.id } : null;
  }
}
