/** Swagger UI on the page of that name. Calls are made with the page's log-in, or with a token. */

const place = document.getElementById("swagger-ui");

/** The page's own token against forged requests, which calls by log-in have to carry. */
function csrfToken() {
  return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";
}

globalThis.SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  syntaxHighlight: { theme: "nord" },
  requestInterceptor(request) {
    const own = new URL(request.url, location.href).origin === location.origin;
    if (own && !request.headers.Authorization) request.headers["X-CSRFToken"] = csrfToken();
    return request;
  },
});
