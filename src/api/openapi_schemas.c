/* openapi_schemas.c - the shapes that the routes refer to (#/components/...). */
#include "api/openapi.h"

#include <stdlib.h>
#include <string.h>

/* JSON with ' for ", a member a line. */
/* clang-format off */
static const struct openapi_schema schemas[] = {
	{"Problem",
		"{'type':'object','description':'RFC 9457','required':['type','title','status','detail','code'],'properties':{"
		"'type':{'type':'string'},"
		"'title':{'type':'string'},"
		"'status':{'type':'integer'},"
		"'detail':{'type':'string','description':'what is wrong, the value, and what would be right'},"
		"'code':{'enum':['invalid','not_found','conflict','wrong_state','fenced','too_large','limited','no_space','io','timeout','unavailable','denied','cancelled','no_memory','internal']},"
		"'pointer':{'type':'string','description':'JSON pointer of what is wrong in the body'},"
		"'namespace':{'type':'string','description':'with max_length'},"
		"'capability':{'type':'string','description':'with max_length: absent when the namespace is full'},"
		"'length':{'type':'integer'},"
		"'max_length':{'type':'integer','description':'a queue or a namespace is full'},"
		"'asked':{'type':'integer'}}}"},
	{"JobRequest",
		"{'type':'object','additionalProperties':false,'properties':{"
		"'capability':{'type':'string'},"
		"'input':{'description':'any JSON; an empty object when absent; an object with the member blob refers to a blob'},"
		"'namespace':{'type':'string','default':'default'},"
		"'priority':{'type':'integer','minimum':0,'maximum':9,'default':5,'description':'9 is most urgent'},"
		"'delay':{'type':'string','description':'5s'},"
		"'run_at':{'type':'string','format':'date-time'},"
		"'ttl':{'type':'string','description':'not started by then: it fails as expired'},"
		"'deadline':{'type':'string','format':'date-time','description':'ended by then: no attempt runs longer, none begins later'},"
		"'timeout':{'type':'string','description':'of one attempt'},"
		"'max_attempts':{'type':'integer','minimum':1,'maximum':1000},"
		"'retry_delay':{'type':'string','description':'the wait after the first failure, doubled each time'},"
		"'retry_cap':{'type':'string','description':'the longest wait'},"
		"'unique':{'oneOf':[{'const':true},{'$ref':'#/components/schemas/Unique'}]},"
		"'traceparent':{'type':'string','description':'W3C Trace Context'},"
		"'operation':{'type':'string','description':'another name of capability'},"
		"'max_retries':{'type':'integer','description':'another name of max_attempts'},"
		"'job_timeout':{'type':'string','description':'another name of timeout'},"
		"'tags':{'type':'array','items':{'type':'string'},'maxItems':16},"
		"'idempotency_key':{'type':'string','maxLength':128},"
		"'callback':{'$ref':'#/components/schemas/Target'},"
		"'key':{'type':'string','maxLength':128,'description':'whose job it is within the queue (a tenant): keys take turns and have limits'}}}"},
	{"Unique",
		"{'type':'object','additionalProperties':false,'description':'while an earlier job holds the key, it is the answer','properties':{"
		"'key':{'type':'string','maxLength':128,'description':'without it, the input is the key'},"
		"'period':{'type':'string','description':'from the submit on; without it, as long as the states hold'},"
		"'states':{'type':'array','items':{'$ref':'#/components/schemas/Status'},'description':'in which the job holds it; scheduled, pending and processing'}}}"},
	{"BatchRequest",
		"{'type':'object','additionalProperties':false,'properties':{"
		"'jobs':{'type':'array','minItems':1,'maxItems':10000,'items':{'$ref':'#/components/schemas/JobRequest'}},"
		"'open':{'type':'boolean','default':false,'description':'more jobs will be added; it is over only after it was closed'},"
		"'namespace':{'type':'string','default':'default'},"
		"'name':{'type':'string','maxLength':128},"
		"'max_failures':{'type':'integer','minimum':0,'default':0,'description':'so many jobs may fail or be cancelled, and it has still completed'},"
		"'callback':{'$ref':'#/components/schemas/Target'},"
		"'then':{'$ref':'#/components/schemas/JobRequest'}}}"},
	{"BatchMade",
		"{'type':'object','required':['batch_id','jobs'],'properties':{"
		"'batch_id':{'type':'string'},"
		"'jobs':{'type':'array','items':{'$ref':'#/components/schemas/SubmittedJob'}}}}"},
	{"Batch",
		"{'type':'object','required':['batch_id','namespace','status','counts','percent'],'properties':{"
		"'batch_id':{'type':'string'},"
		"'namespace':{'type':'string'},"
		"'name':{'type':'string'},"
		"'status':{'enum':['open','running','cancelling','completed','failed','cancelled']},"
		"'created_at':{'type':'string'},"
		"'finished_at':{'type':['string','null']},"
		"'counts':{'type':'object','properties':{'total':{'type':'integer'},'scheduled':{'type':'integer'},'pending':{'type':'integer'},'processing':{'type':'integer'},'completed':{'type':'integer'},'failed':{'type':'integer'},'cancelled':{'type':'integer'}}},"
		"'percent':{'type':'integer','description':'of its jobs are over'},"
		"'max_failures':{'type':'integer'},"
		"'failed_jobs':{'type':'array','items':{'type':'string'},'maxItems':100},"
		"'then_job_id':{'type':'string'}}}"},
	{"Batches", "{'type':'object','properties':{'batches':{'type':'array','items':{'$ref':'#/components/schemas/Batch'}},'cursor':{'type':['string','null']}}}"},
	{"Target",
		"{'type':'object','additionalProperties':false,'required':['url'],'description':'who is told by a POST when it is over','properties':{"
		"'url':{'type':'string','maxLength':2048,'description':'http or https, without user and password'},"
		"'headers':{'type':'object','maxProperties':16,'additionalProperties':{'type':'string'}}}}"},
	{"Callback",
		"{'type':'object','required':['callback_id','status','type','url'],'properties':{"
		"'callback_id':{'type':'string','description':'the delivery id: the same over all attempts'},"
		"'status':{'enum':['pending','failed']},"
		"'type':{'type':'string','description':'job.completed, batch.failed ...'},"
		"'url':{'type':'string'},"
		"'namespace':{'type':'string'},"
		"'job_id':{'type':'string'},"
		"'batch_id':{'type':'string'},"
		"'attempts':{'type':'integer'},"
		"'last_status':{'type':['integer','null'],'description':'of HTTP; null: there was no answer'},"
		"'error':{'type':['string','null'],'description':'why the last attempt failed'},"
		"'created_at':{'type':'string'},"
		"'last_at':{'type':['string','null']},"
		"'next_at':{'type':['string','null']}}}"},
	{"Callbacks", "{'type':'object','properties':{'callbacks':{'type':'array','items':{'$ref':'#/components/schemas/Callback'}},'cursor':{'type':['string','null']}}}"},
	{"Status", "{'enum':['scheduled','pending','processing','completed','failed','cancelled']}"},
	{"JobMove",
		"{'type':'object','additionalProperties':false,'properties':{"
		"'priority':{'type':'integer','minimum':0,'maximum':9},"
		"'capability':{'type':'string'},"
		"'namespace':{'type':'string'}}}"},
	{"QueueStats",
		"{'type':'object','required':['connected','queues'],'properties':{"
		"'connected':{'type':'boolean'},"
		"'queues':{'type':'object','additionalProperties':{'type':'object','properties':{'message_count':{'type':'integer'},'consumer_count':{'type':'integer'}}}}}}"},
	{"JobsRequest",
		"{'type':'object','additionalProperties':false,'required':['jobs'],'properties':{"
		"'namespace':{'type':'string'},"
		"'jobs':{'type':'array','minItems':1,'maxItems':10000,'items':{'$ref':'#/components/schemas/JobRequest'}}}}"},
	{"SubmittedJob",
		"{'type':'object','required':['job_id','status','namespace'],'properties':{"
		"'job_id':{'type':'string'},"
		"'status':{'type':'string'},"
		"'namespace':{'type':'string'},"
		"'existing':{'type':'boolean','description':'an earlier job: its idempotency key was known, or it holds the unique key'}}}"},
	{"SubmittedLine",
		"{'type':'object','description':'of one line; the last one has lines, submitted, existing and refused, which are numbers','properties':{"
		"'line':{'type':'integer','description':'in the body, from 1'},"
		"'job_id':{'type':'string'},"
		"'namespace':{'type':'string'},"
		"'status':{'type':'string','description':'of the job, or refused'},"
		"'existing':{'type':'boolean'},"
		"'code':{'type':'string'},"
		"'detail':{'type':'string'},"
		"'pointer':{'type':'string'}}}"},
	{"Submitted",
		"{'oneOf':[{'$ref':'#/components/schemas/SubmittedJob'},{'type':'object','required':['jobs'],'properties':{'jobs':{'type':'array','items':{'$ref':'#/components/schemas/SubmittedJob'}}}}]}"},
	{"Job",
		"{'type':'object','required':['job_id','namespace','capability','status'],'properties':{"
		"'job_id':{'type':'string'},"
		"'namespace':{'type':'string'},"
		"'capability':{'type':'string'},"
		"'operation':{'type':'string','description':'the capability'},"
		"'status':{'$ref':'#/components/schemas/Status'},"
		"'priority':{'type':'integer'},"
		"'submitted_at':{'type':['string','null']},"
		"'started_at':{'type':['string','null']},"
		"'finished_at':{'type':['string','null']},"
		"'timestamp':{'type':['string','null'],'description':'finished_at'},"
		"'due_at':{'type':['string','null']},"
		"'deadline':{'type':'string'},"
		"'traceparent':{'type':'string'},"
		"'attempts':{'type':'integer'},"
		"'max_attempts':{'type':'integer'},"
		"'crashes':{'type':'integer'},"
		"'key':{'type':'string'},"
		"'run_id':{'type':'string'},"
		"'batch_id':{'type':'string'},"
		"'callback':{'type':'object','properties':{'url':{'type':'string'}}},"
		"'tags':{'type':'array','items':{'type':'string'}},"
		"'progress':{'type':['object','null'],'properties':{'percent':{'type':'integer'},'message':{'type':'string'}}},"
		"'result':{'description':'null in lists; /v1/jobs/{job_id}/result gives the bytes'},"
		"'error':{'type':['object','null'],'properties':{'code':{'type':'string'},'message':{'type':'string'},'retryable':{'type':'boolean'}}}}}"},
	{"Jobs",
		"{'type':'object','properties':{"
		"'jobs':{'type':'array','items':{'$ref':'#/components/schemas/Job'}},"
		"'cursor':{'type':['string','null']}}}"},
	{"Queue",
		"{'type':'object','properties':{"
		"'capability':{'type':'string'},"
		"'namespace':{'type':'string'},"
		"'pending':{'type':'integer'},"
		"'scheduled':{'type':'integer'},"
		"'processing':{'type':'integer'},"
		"'failed':{'type':'integer','description':'dead letters'},"
		"'oldest_age_seconds':{'type':'number'},"
		"'paused':{'type':'boolean'},"
		"'completed_total':{'type':'integer'},"
		"'failed_total':{'type':'integer'},"
		"'crashed_total':{'type':'integer'},"
		"'duplicates_total':{'type':'integer'},"
		"'repeated_total':{'type':'integer','description':'attempts that began after the lease of the one before was lost'},"
		"'fenced_total':{'type':'integer','description':'completions that came when the lease had been taken back'},"
		"'keys':{'type':'integer'},"
		"'keys_blocked':{'type':'integer'},"
		"'blocked':{'enum':[null,'paused','namespace_paused','all_paused','concurrency','rate','namespace_concurrency','namespace_rate','keys'],'description':'what holds back the jobs that wait'},"
		"'opens_at':{'type':'string','format':'date-time','description':'of a rate: when its next job may be given out'},"
		"'limits':{'$ref':'#/components/schemas/Limits'},"
		"'limits_from':{'enum':['configuration','api']},"
		"'top_keys':{'type':'array','description':'of one queue: the 20 keys with most pending jobs','items':{'type':'object','properties':{'key':{'type':'string'},'pending':{'type':'integer'},'processing':{'type':'integer'},'blocked':{'enum':[null,'concurrency','rate']}}}}}}"},
	{"Limit",
		"{'type':'object','additionalProperties':false,'properties':{"
		"'concurrency':{'type':['integer','null'],'minimum':1,'maximum':1000000},"
		"'rate':{'type':['number','null'],'minimum':0.001,'maximum':1000000,'description':'given out a second'},"
		"'burst':{'type':['integer','null'],'minimum':1,'maximum':1000000,'description':'the rate, rounded up, unless said'}}}"},
	{"Limits",
		"{'type':'object','additionalProperties':false,'properties':{"
		"'concurrency':{'type':['integer','null'],'minimum':1,'maximum':1000000},"
		"'rate':{'type':['number','null'],'minimum':0.001,'maximum':1000000,'description':'given out a second'},"
		"'burst':{'type':['integer','null'],'minimum':1,'maximum':1000000,'description':'the rate, rounded up, unless said'},"
		"'max_length':{'type':['integer','null'],'minimum':1,'maximum':50000000,'description':'waiting; one more is refused with 429'},"
		"'key':{'$ref':'#/components/schemas/Limit','description':'of each key; queues only'}}}"},
	{"Namespace",
		"{'type':'object','properties':{"
		"'namespace':{'type':'string'},"
		"'queues':{'type':'integer'},"
		"'pending':{'type':'integer'},"
		"'scheduled':{'type':'integer'},"
		"'processing':{'type':'integer'},"
		"'weight':{'type':'integer'},"
		"'paused':{'type':'boolean'},"
		"'limits':{'$ref':'#/components/schemas/Limits'},"
		"'limits_from':{'enum':['configuration','api']}}}"},
	{"Event",
		"{'type':'object','required':['id','type','at'],'properties':{"
		"'id':{'type':'string'},"
		"'type':{'type':'string','description':'job.pending, job.completed, instance.running, batch.progress, schedule.fired ...'},"
		"'at':{'type':'string'},"
		"'namespace':{'type':'string'},"
		"'job_id':{'type':'string'},"
		"'run_id':{'type':'string'},"
		"'capability':{'type':'string'},"
		"'worker':{'type':'string'},"
		"'instance':{'type':'string'},"
		"'schedule':{'type':'string'},"
		"'attempt':{'type':'integer'},"
		"'percent':{'type':'integer'},"
		"'message':{'type':'string'}}}"},
	{NULL, NULL},
};
/* clang-format on */

static json_t *load(const char *text)
{
	char *copy = strdup(text);
	for (char *at = copy; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	json_t *schema = json_loads(copy, JSON_REJECT_DUPLICATES, NULL);
	free(copy);
	return schema;
}

static void add_all(json_t *all, const struct openapi_schema *s)
{
	for (; s->name; s++) {
		json_t *schema = load(s->schema);
		if (!schema)
			abort(); /* found by the test of openapi.c */
		json_object_set_new(all, s->name, schema);
	}
}

json_t *openapi_components(void)
{
	json_t *all = json_object();
	add_all(all, schemas);
	add_all(all, openapi_claims);
	add_all(all, openapi_schedules);
	json_object_set_new(all, "ScheduleRequest", json_loads(schedule_schema, JSON_REJECT_DUPLICATES, NULL));
	return json_pack("{s:o, s:{s:{s:s, s:{s:{s:{s:s}}}}}}", "schemas", all, "responses", "Problem", "description",
		"an error", "content", "application/problem+json", "schema", "$ref", "#/components/schemas/Problem");
}
