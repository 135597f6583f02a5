/* contract.h - what the worker promises, as JSON Schema, and its errors. Text only. */
#pragma once

extern const char contract_config[], contract_input[], contract_output[], contract_errors[];
