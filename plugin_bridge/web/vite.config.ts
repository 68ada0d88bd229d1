import { defineConfig } from "vitest/config";

// Where the built page is put: beside the Python package, so that a wheel carries it and users need no Node.
const PAGE = "../layoutbrush/plugin_bridge/web_page";
// Where `vite dev` finds a gateway; the built page asks the server that it came from.
const GATEWAY = process.env["LAYOUTBRUSH_GATEWAY"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: { proxy: { "/layoutbrush.v1.LayoutbrushService": GATEWAY } },
  build: { outDir: PAGE, emptyOutDir: true, target: "es2022", assetsInlineLimit: 0, reportCompressedSize: false, chunkSizeWarningLimit: 800 },
  // A test that hangs is ended; one that only shares its machine with others isn't.
  test: { environment: "node", include: ["test/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
});
