// @vitest-environment node
import { expect, it } from "vitest";
import { ApiError } from "../api/errors.js";
import { reportOf } from "./beacon.js";
import { Telemetry } from "./telemetry.js";

it("keeps and reports as many errors as the API takes", () => {
  const telemetry = new Telemetry();
  for (let number = 0; number < 1_200; number++) telemetry.failed(new ApiError(0, "network"));
  expect(telemetry.errors).toHaveLength(1_000);
  expect(reportOf(telemetry, "basic")).toMatchObject({ errors: { network: 1_000 } });
});
