/* openapi.h - the OpenAPI 3.1 document of api_routes. */
#pragma once
#include "api/api.h"

json_t *openapi_document(void); /* the caller's */
json_t *openapi_components(void); /* schemas and responses; openapi_schemas.c */
