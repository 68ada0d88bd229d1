import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { zipSync } from "fflate";
import { defineConfig, type Plugin } from "vite";

// `npm run photoshop` builds the Photoshop plug-in, with this folder's packages. Photoshop and UXP give their modules through `require`.
const HERE = resolve(import.meta.dirname, "../hosts/photoshop");
const OUT = resolve(HERE, "dist");
const FILES = ["index.html", "panel.css"];

/** Writes what stands beside the script, and the folder as one file to install. Other servers: LAYOUTBRUSH_SERVERS. */
function packed(): Plugin {
  return {
    name: "ccx",
    closeBundle() {
      for (const name of FILES) copyFileSync(join(HERE, name), join(OUT, name));
      const manifest = JSON.parse(readFileSync(join(HERE, "manifest.json"), "utf8"));
      const servers = (process.env["LAYOUTBRUSH_SERVERS"] ?? "").split(/[\s,]+/).filter(Boolean);
      manifest.requiredPermissions.network.domains.push(...servers);
      writeFileSync(join(OUT, "manifest.json"), JSON.stringify(manifest, null, 2) + "\n");
      const names = readdirSync(OUT).filter((name) => !name.endsWith(".ccx"));
      const files = Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(join(OUT, name)))]));
      writeFileSync(join(OUT, "layoutbrush.ccx"), zipSync(files));
    },
  };
}

export default defineConfig({
  root: HERE,
  publicDir: false,
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2020",
    minify: false,
    reportCompressedSize: false,
    lib: { entry: join(HERE, "src/main.ts"), formats: ["cjs"], fileName: () => "index.js" },
    rollupOptions: { external: ["photoshop", "uxp"] },
  },
  plugins: [packed()],
});
