// Starts Swagger UI on the description that the page names.

const place = document.getElementById("operations");

SwaggerUIBundle({
  domNode: place,
  url: place.dataset.openapiUrl,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  // Its default asks a public host whether the description is valid.
  validatorUrl: null,
  // A page that is left open must not keep a token on disk.
  persistAuthorization: false,
});
