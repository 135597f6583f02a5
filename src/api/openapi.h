/* openapi.h - the OpenAPI 3.1 document of api_routes. */
#pragma once
#include "api/api.h"

json_t *openapi_document(void); /* the caller's */
struct openapi_schema { /* a shape: #/components/schemas/NAME; JSON with ' for " */
	const char *name, *schema;
};
extern const struct openapi_schema openapi_claims[], openapi_schedules[]; /* name NULL last */

json_t *openapi_components(void); /* schemas and responses; openapi_schemas.c */
