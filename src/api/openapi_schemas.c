/* openapi_schemas.c - the shapes that the routes refer to (#/components/...). */
#include "api/openapi.h"

#include <stdlib.h>

static const struct {
	const char *name, *schema;
} schemas[] = {
	{"Problem",
		"{\"type\":\"object\",\"description\":\"RFC "
		"9457\",\"required\":[\"type\",\"title\",\"status\",\"detail\",\"code"
		"\"],\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":"
		"\"intege"
		"r\"},\"detail\":{\"type\":\"string\",\"description\":\"what is wrong, the value, and what would be rig"
		"ht\"},\"code\":{\"enum\":[\"invalid\",\"not_found\",\"conflict\",\"wrong_state\",\"fenced\",\"too_large\",\"li"
		"mited\",\"no_space\",\"io\",\"timeout\",\"unavailable\",\"denied\",\"cancelled\",\"no_memory\",\"internal\"]}"
		",\"pointer\":{\"type\":\"string\",\"description\":\"JSON pointer of what is wrong in the body\"}}}"},
	{"JobRequest",
		"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"capability\"],\"properties\":{\"capab"
		"ility\":{\"type\":\"string\"},\"input\":{\"description\":\"any JSON; {} when absent; {\\\"blob\\\":\\\"sha25"
		"6:...\\\"} refers to a blob\"},\"namespace\":{\"type\":\"string\",\"default\":\"default\"},\"priority\":{\"t"
		"ype\":\"integer\",\"minimum\":0,\"maximum\":9,\"default\":5,\"description\":\"9 is most urgent\"},\"delay\""
		":{\"type\":\"string\",\"description\":\"5s\"},\"run_at\":{\"type\":\"string\",\"format\":\"date-time\"},"
		"\"ttl\":"
		"{\"type\":\"string\",\"description\":\"not started by then: it fails as expired\"},\"timeout\":{\"type\""
		":\"string\",\"description\":\"of one attempt\"},\"max_attempts\":{\"type\":\"integer\",\"minimum\":1,\"maxi"
		"mum\":1000},\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"maxItems\":16},\"idempotency_key\""
		":{\"type\":\"string\",\"maxLength\":128},\"key\":{\"type\":\"string\",\"maxLength\":128,\"description\":"
		"\"whose job it is within the queue (a tenant): keys take turns and have limits\"}}}"},
	{"JobsRequest",
		"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"jobs\"],\"properties\":{\"namespace\":"
		"{\"type\":\"string\"},\"jobs\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":10000,\"items\":{\"$ref\":\"#/"
		"co"
		"mponents/schemas/JobRequest\"}}}}"},
	{"SubmittedJob",
		"{\"type\":\"object\",\"required\":[\"job_id\",\"status\",\"namespace\"],\"properties\":{\"job_id\":{\"type\":"
		"\""
		"string\"},\"status\":{\"type\":\"string\"},\"namespace\":{\"type\":\"string\"},\"existing\":{\"type\":\"boolea"
		"n\",\"description\":\"the idempotency key was known: the earlier job\"}}}"},
	{"Submitted",
		"{\"oneOf\":[{\"$ref\":\"#/components/schemas/SubmittedJob\"},{\"type\":\"object\",\"required\":[\"jobs\"],"
		"\"properties\":{\"jobs\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/SubmittedJob\"}}}}"
		"]}"},
	{"Job",
		"{\"type\":\"object\",\"required\":[\"job_id\",\"namespace\",\"capability\",\"status\"],\"properties\":{\"job_"
		"id\":{\"type\":\"string\"},\"namespace\":{\"type\":\"string\"},\"capability\":{\"type\":\"string\"},"
		"\"status\":"
		"{\"enum\":[\"scheduled\",\"pending\",\"processing\",\"completed\",\"failed\",\"cancelled\"]},\"priority\":{\""
		"type\":\"integer\"},\"submitted_at\":{\"type\":[\"string\",\"null\"]},\"started_at\":{\"type\":[\"string\",\"n"
		"ull\"]},\"finished_at\":{\"type\":[\"string\",\"null\"]},\"due_at\":{\"type\":[\"string\",\"null\"]},\"attempt"
		"s\":{\"type\":\"integer\"},\"max_attempts\":{\"type\":\"integer\"},\"crashes\":{\"type\":\"integer\"},\"key\":"
		"{\"type\":\"string\"},\"run_id"
		"\":{\"type\":\"string\"},\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"progress\":{\"type\":"
		"[\"o"
		"bject\",\"null\"],\"properties\":{\"percent\":{\"type\":\"integer\"},\"message\":{\"type\":\"string\"}}},\"res"
		"ult\":{\"description\":\"null in lists; /v1/jobs/{job_id}/result gives the bytes\"},\"error\":{\"typ"
		"e\":[\"object\",\"null\"],\"properties\":{\"code\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"},"
		"\"ret"
		"ryable\":{\"type\":\"boolean\"}}}}}"},
	{"Jobs",
		"{\"type\":\"object\",\"properties\":{\"jobs\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
		"Job\"}},\"cursor\":{\"type\":[\"string\",\"null\"]}}}"},
	{"Queue",
		"{\"type\":\"object\",\"properties\":{\"capability\":{\"type\":\"string\"},\"namespace\":{\"type\":\"string\"},"
		"\"pending\":{\"type\":\"integer\"},\"scheduled\":{\"type\":\"integer\"},\"processing\":{\"type\":\"integer\"},"
		"\"failed\":{\"type\":\"integer\",\"description\":\"dead letters\"},\"oldest_age_seconds\":{\"type\":\"numbe"
		"r\"},\"paused\":{\"type\":\"boolean\"},\"completed_total\":{\"type\":\"integer\"},\"failed_total\":{\"type\":"
		"\"integer\"},\"crashed_total\":{\"type\":\"integer\"},\"duplicates_total\":{\"type\":\"integer\"}}}"},
	{"Event", "{\"type\":\"object\",\"required\":[\"id\",\"type\",\"at\"],\"properties\":{\"id\":{\"type\":\"string\"},"
			  "\"type\":{"
			  "\"type\":\"string\",\"description\":\"job.pending, job.completed, instance.running, run.progress .."
			  ".\"},\"at\":{\"type\":\"string\"},\"namespace\":{\"type\":\"string\"},\"job_id\":{\"type\":\"string\"},"
			  "\"run_id\""
			  ":{\"type\":\"string\"},\"capability\":{\"type\":\"string\"},\"worker\":{\"type\":\"string\"},"
			  "\"instance\":{\"ty"
			  "pe\":\"string\"},\"attempt\":{\"type\":\"integer\"},\"percent\":{\"type\":\"integer\"},\"message\":{"
			  "\"type\":\"s"
			  "tring\"}}}"},
};

json_t *openapi_components(void)
{
	json_t *all = json_object();
	for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
		json_t *schema = json_loads(schemas[i].schema, JSON_REJECT_DUPLICATES, NULL);
		if (!schema)
			abort(); /* found by the test of openapi.c */
		json_object_set_new(all, schemas[i].name, schema);
	}
	return json_pack("{s:o, s:{s:{s:s, s:{s:{s:{s:s}}}}}}", "schemas", all, "responses", "Problem", "description",
		"an error", "content", "application/problem+json", "schema", "$ref", "#/components/schemas/Problem");
}
