/* submit_check.c - whether an input fits its schema, and how the job is when it was submitted. */
#include "api/api.h"

#include "base/mem.h"
#include "schema/schema.h"

#include <stdio.h>
#include <string.h>

/* A blob in place of the input is what the schema speaks of only once it is fetched. */
enum errcode api_check_input(
	const struct schema *schema, const struct job_spec *spec, int *status, char pointer[300], struct err *e)
{
	char name[BLOB_NAME_SIZE], within[SCHEMA_POINTER_SIZE];
	bool only;
	if (!schema || (blob_of_input(spec->input, name, &only) && only))
		return E_OK;
	enum errcode code = schema_check_text(schema, spec->input, within, e);
	if (code == E_OK)
		return E_OK;
	*status = 422;
	snprintf(pointer, 300, "/input%.200s", within);
	return err_prefix(
		e, "the input does not fit the input schema of %.*s", (int)spec->capability.size, spec->capability.data);
}

const char *api_submitted_status(struct api *a, uint64_t id)
{
	const char *word = api_status_of(a, id);
	return word ? word : job_state_word(JOB_COMPLETED); /* and forgotten already */
}
