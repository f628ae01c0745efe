// @vitest-environment node
import { renderToString } from "react-dom/server";
import { expect, it } from "vitest";
import { RealtimeSessionBooking } from "@tutelage/react";

it("renders the tag on the server, with what can be an attribute", () => {
  expect(typeof document).toBe("undefined");
  const html = renderToString(
    <RealtimeSessionBooking mentor="m1" showConnectionStatus={false} token="secret" onSuccess={() => undefined} className="wide">
      <p>Loading …</p>
    </RealtimeSessionBooking>,
  );
  expect(html).toBe(
    '<session-booking class="wide" variant="realtime" mentor="m1" show-connection-status="false"><p>Loading …</p></session-booking>',
  );
});
