/** Writes manifest.json beside the built files: their sizes and integrity hashes, and the names of the lazy parts. */

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PARTS = ["enhanced", "realtime"];

/** @returns {import("vite").Plugin} */
export function manifest() {
  return {
    name: "manifest",
    apply: "build",
    enforce: "post",
    // Of the files as they were written: plug-ins change them up to then.
    writeBundle({ dir }, bundle) {
      const files = {};
      const parts = {};
      for (const output of Object.values(bundle).sort((one, other) => (one.fileName < other.fileName ? -1 : 1))) {
        const content = readFileSync(join(dir, output.fileName));
        files[output.fileName] = {
          size: content.length,
          integrity: `sha384-${createHash("sha384").update(content).digest("base64")}`,
        };
        if (output.type === "chunk" && PARTS.includes(output.name)) parts[output.name] = output.fileName;
      }
      writeFileSync(join(dir, "manifest.json"), JSON.stringify({ files, parts }, null, 2) + "\n");
    },
  };
}
