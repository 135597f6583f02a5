/* openapi_schedules.c - the shapes of /v1/schedules, but for ScheduleRequest, which is the schema that requests are checked with. */
#include "api/openapi.h"

/* clang-format off */
const struct openapi_schema openapi_schedules[] = {
	{"Schedule",
		"{'type':'object','required':['name','namespace','origin'],'description':'the members of ScheduleRequest, and:','properties':{"
		"'name':{'type':'string'},"
		"'namespace':{'type':'string'},"
		"'origin':{'enum':['config','api'],'description':'one of the configuration is changed and removed there'},"
		"'enabled':{'type':'boolean'},"
		"'paused':{'type':'boolean'},"
		"'created_at':{'type':'string'},"
		"'next_at':{'type':['string','null']},"
		"'last_at':{'type':['string','null'],'description':'the occurrence that was made last'},"
		"'waiting':{'type':['string','null'],'description':'the occurrence that waits for the end of the job before'},"
		"'fired_total':{'type':'integer'},"
		"'missed_total':{'type':'integer'},"
		"'skipped_total':{'type':'integer'},"
		"'failed_total':{'type':'integer'},"
		"'last_error':{'type':['string','null']},"
		"'next':{'type':'array','items':{'$ref':'#/components/schemas/ScheduleTime'},'description':'not in lists'},"
		"'last':{'type':'array','description':'not in lists; newest first','items':{'type':'object','properties':{"
		"'occurrence':{'type':'string'},"
		"'made_at':{'type':'string'},"
		"'job_id':{'type':'string'},"
		"'run_id':{'type':'string'},"
		"'status':{'type':['string','null'],'description':'of the job; null: forgotten'}}}}}}"},
	{"Schedules",
		"{'type':'object','properties':{"
		"'schedules':{'type':'array','items':{'$ref':'#/components/schemas/Schedule'}},"
		"'cursor':{'type':['string','null']}}}"},
	{"ScheduleMade", "{'type':'object','properties':{'job_id':{'type':'string'},'run_id':{'type':'string'}}}"},
	{"ScheduleTime",
		"{'type':'object','properties':{"
		"'at':{'type':'string'},"
		"'local':{'type':'string','description':'the same moment on the clock of the zone'}}}"},
	{"ScheduleTimes", "{'type':'object','properties':{'times':{'type':'array','items':{'$ref':'#/components/schemas/ScheduleTime'}}}}"},
	{"SchedulePreview",
		"{'type':'object','additionalProperties':false,'properties':{"
		"'every':{'type':'string'},"
		"'cron':{'type':'string'},"
		"'timezone':{'type':'string'},"
		"'start':{'type':'string'},"
		"'end':{'type':'string'},"
		"'from':{'type':'string','format':'date-time','description':'now'},"
		"'count':{'type':'integer','minimum':1,'maximum':1000,'default':5}}}"},
	{0},
};
