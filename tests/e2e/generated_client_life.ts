/** One life of a booking by generated types, with the files of docs/integrate.md, which the test has put beside this one. */

import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { POST as giveToken } from "./app/booking-token/route";
import { POST as receive } from "./app/webhooks/route";
import { clientOf } from "./lib/tutelage";
import { messages } from "./lib/events";

const { FIRST, INSTANT, LISTING, MENTOR, SECOND } = process.env as Record<string, string>;

/** The mentee's token comes from the marketplace's endpoint. */
async function menteeClient() {
  const { token } = (await (await giveToken()).json()) as { token: string };
  return clientOf(token);
}

/** From the request to the completion; returns the session's id. */
async function live(): Promise<string> {
  const mentor = clientOf(MENTOR!);
  const mentee = await menteeClient();
  const header = { Prefer: "wait=10" };

  const draft = await mentee.POST("/bookings", { body: { listingId: LISTING!, startTime: FIRST! } });
  assert(draft.data && "status" in draft.data, JSON.stringify(draft.error));
  assert.equal(draft.data.status, "draft");
  const booking_id: string = draft.data.id;
  const accepted = await mentor.PATCH("/bookings/{booking_id}/accept", { params: { path: { booking_id }, header } });
  assert(accepted.data && "booking" in accepted.data, JSON.stringify(accepted.error));
  const session_id: string = accepted.data.session.id;

  const body = { listingId: INSTANT!, startTime: SECOND! };
  const booked = await mentee.POST("/bookings", { body, params: { header } });
  assert(booked.data && "booking" in booked.data, JSON.stringify(booked.error));
  assert.equal(booked.data.booking.status, "accepted");
  const refused = await mentee.POST("/bookings", { body });
  assert(refused.error?.code === "slot_taken", JSON.stringify(refused));
  // @ts-expect-error: the operation has no such code.
  assert(refused.error?.code !== "no_review_permit");

  const path = { session_id };
  const started = await mentee.PATCH("/sessions/{session_id}/start", { params: { path } });
  assert.equal(started.data?.status, "in_progress");
  const notes = { notes: "Read chapter 3." };
  const completed = await mentor.PATCH("/sessions/{session_id}/complete", { params: { path }, body: notes });
  assert.equal(completed.data?.status, "completed");
  return session_id;
}

/** The review that is unlocked once the session's effects have run. */
async function review(session_id: string): Promise<void> {
  const mentee = await menteeClient();
  const written = await mentee.POST("/sessions/{session_id}/review", { params: { path: { session_id } }, body: { rating: 5 } });
  assert.equal(written.data?.rating, 5, JSON.stringify(written.error));
}

/** The session that a webhook is about, which the marketplace's endpoint has received. */
async function read(headers: Record<string, string>, body: string): Promise<string> {
  const sent = { method: "POST", headers, body };
  const forged = await receive(new Request("http://marketplace.test/webhooks", { ...sent, body: `${body} ` }));
  assert.deepEqual([forged.status, messages.length], [400, 0]);
  const received = await receive(new Request("http://marketplace.test/webhooks", sent));
  assert.equal(received.status, 204);
  const [message] = messages;
  assert(message?.type === "session.completed");
  return message.data.sessionId;
}

async function main(part: string, session = ""): Promise<void> {
  if (part === "live") console.log(await live());
  else if (part === "review") await review(session);
  else {
    const { headers, body } = JSON.parse(await text(process.stdin)) as { headers: Record<string, string>; body: string };
    console.log(await read(headers, body));
  }
}

void main(process.argv[2]!, process.argv[3]);
