/* yaml.h - YAML text to JSON, by libfyaml's event parser: nothing is ever resolved or expanded. */
#pragma once
#include "base/err.h"
#include "config/places.h"

#include <jansson.h>

/* E_INVALID: "name:line:column: ...". *out is {} for an empty text; `places` gets every value's place. */
enum errcode yaml_read(const char *name, struct bytes text, struct places *places, json_t **out, struct err *e);
