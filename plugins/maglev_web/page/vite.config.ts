import { defineConfig } from "vite";
import solid from "vite-plugin-solid";

// The page is served from wherever maglevd-frontend listens, under /view/ and /admin/; its files are under /assets/.
export default defineConfig({
  plugins: [solid()],
  base: "/",
  build: {
    outDir: process.env.MAGLEV_WEB_OUT ?? "../src/maglev_web/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the content policy allows no data: scripts or styles
    modulePreload: { polyfill: false },
    sourcemap: false,
    license: { fileName: "licenses.md" }, // what the scripts hold of others
  },
});
