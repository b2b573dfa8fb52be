"""The REST API: routes, handlers, schemas and views."""
