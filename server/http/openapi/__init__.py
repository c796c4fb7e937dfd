"""An OpenAPI document of all that HTTP answers, at /openapi.json."""
