/** ReDoc on the page of that name, in the site's colours. */

const place = document.getElementById("redoc");
const style = getComputedStyle(document.documentElement);
const colour = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;

globalThis.Redoc.init(
  place.dataset.schema,
  {
    hideDownloadButton: false,
    expandResponses: "200,201",
    hideHostname: true,
    nativeScrollbars: true,
    theme: {
      typography: { fontFamily: "Inter, sans-serif", headings: { fontFamily: "Inter, sans-serif" } },
      colors: { primary: { main: colour("--accent-strong", "#1f6f5c") } },
      rightPanel: { backgroundColor: "#16191c" },
    },
  },
  place,
);
