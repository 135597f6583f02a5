/* contract.h - what the worker promises, as JSON Schema: configuration, inputs, results, items, error codes. Text only; the
 * code that keeps these promises is options.c, item.c and result.c.
 */
#pragma once

extern const char contract_config[];
extern const char contract_input[]; /* of both capabilities */
extern const char contract_item[]; /* of email.parse */
extern const char contract_parse_output[];
extern const char contract_analyze_output[];
extern const char contract_errors[];
