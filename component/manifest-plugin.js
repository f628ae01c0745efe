/** Writes manifest.json beside the built files: their sizes and integrity hashes, and the names of the lazy parts. */

import { createHash } from "node:crypto";

const PARTS = ["enhanced", "realtime"];

/** @returns {import("vite").Plugin} */
export function manifest() {
  return {
    name: "manifest",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const files = {};
      const parts = {};
      for (const output of Object.values(bundle).sort((one, other) => (one.fileName < other.fileName ? -1 : 1))) {
        const content = Buffer.from(output.type === "chunk" ? output.code : output.source);
        files[output.fileName] = {
          size: content.length,
          integrity: `sha384-${createHash("sha384").update(content).digest("base64")}`,
        };
        if (output.type === "chunk" && PARTS.includes(output.name)) parts[output.name] = output.fileName;
      }
      const source = JSON.stringify({ files, parts }, null, 2) + "\n";
      this.emitFile({ type: "asset", fileName: "manifest.json", source });
    },
  };
}
