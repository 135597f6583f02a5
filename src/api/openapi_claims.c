/* openapi_claims.c - the shapes of /v1/claims. */
#include "api/openapi.h"

/* clang-format off */
const struct openapi_schema openapi_claims[] = {
	{"ClaimRequest",
		"{'type':'object','additionalProperties':false,'required':['capabilities'],'properties':{"
		"'capabilities':{'type':'array','minItems':1,'maxItems':64,'items':{'type':'string'},'description':'capability or namespace/capability'},"
		"'namespace':{'type':'string','default':'default'},"
		"'max':{'type':'integer','minimum':1,'maximum':1000,'default':1},"
		"'wait':{'type':'string','description':'for the first job, at most 5m; default 0s'},"
		"'lease':{'type':'string','description':'1s to 24h; default 30s'},"
		"'client':{'type':'string','description':'a name to be shown; default pid-N'}}}"},
	{"Claim",
		"{'type':'object','required':['job_id','namespace','capability','fence','attempt','lease_until','input'],'properties':{"
		"'job_id':{'type':'string'},"
		"'namespace':{'type':'string'},"
		"'capability':{'type':'string'},"
		"'fence':{'type':'integer'},"
		"'attempt':{'type':'integer'},"
		"'max_attempts':{'type':'integer'},"
		"'priority':{'type':'integer'},"
		"'lease_until':{'type':'string','format':'date-time'},"
		"'tags':{'type':'array','items':{'type':'string'}},"
		"'checkpoint':{'description':'of an earlier attempt, when there is one'},"
		"'input':{}}}"},
	{"Claims",
		"{'type':'object','required':['claims'],'properties':{"
		"'claims':{'type':'array','items':{'$ref':'#/components/schemas/Claim'}}}}"},
	{"HeartbeatRequest",
		"{'type':'object','additionalProperties':false,'required':['fence'],'properties':{"
		"'fence':{'type':'integer','description':'of the claim; 409 when it is old'},"
		"'lease':{'type':'string','description':'from now on; default as before'},"
		"'progress':{'type':'object','additionalProperties':false,'properties':{'percent':{'type':'integer','minimum':0,'maximum':100},'message':{'type':'string'}}},"
		"'items':{'type':'array','items':{'type':'object','additionalProperties':false,'required':['key','item'],'properties':{'key':{'type':'integer','description':'kept once per key'},'item':{}}}},"
		"'checkpoint':{}}}"},
	{"CompleteRequest",
		"{'type':'object','additionalProperties':false,'required':['fence'],'properties':{"
		"'fence':{'type':'integer','description':'of the claim; 409 when it is old'},"
		"'result':{'description':'any JSON; null when absent; above 1 MiB it becomes a blob'},"
		"'items':{'type':'array','items':{'type':'object','additionalProperties':false,'required':['key','item'],'properties':{'key':{'type':'integer','description':'kept once per key'},'item':{}}}}}}"},
	{"FailRequest",
		"{'type':'object','additionalProperties':false,'required':['fence','error'],'properties':{"
		"'fence':{'type':'integer','description':'of the claim; 409 when it is old'},"
		"'error':{'type':'object','additionalProperties':false,'required':['code'],'properties':{'code':{'type':'string'},'message':{'type':'string'},'retryable':{'type':'boolean','default':true}}}}}"},
	{"ReleaseRequest",
		"{'type':'object','additionalProperties':false,'required':['fence'],'properties':{"
		"'fence':{'type':'integer','description':'of the claim; 409 when it is old'}}}"},
	{"CompletionsRequest",
		"{'type':'object','additionalProperties':false,'required':['completions'],'properties':{"
		"'completions':{'type':'array','maxItems':1000,'items':{'type':'object','additionalProperties':false,'required':['job_id','fence'],'properties':{'job_id':{'type':'string'},'fence':{'type':'integer','description':'of the claim; 409 when it is old'},'result':{},'error':{'type':'object','additionalProperties':false,'required':['code'],'properties':{'code':{'type':'string'},'message':{'type':'string'},'retryable':{'type':'boolean','default':true}}}}}}}}"},
	{"HeartbeatsRequest",
		"{'type':'object','additionalProperties':false,'required':['claims'],'properties':{"
		"'claims':{'type':'array','maxItems':1000,'items':{'type':'object','additionalProperties':false,'required':['job_id','fence'],'properties':{'job_id':{'type':'string'},'fence':{'type':'integer','description':'of the claim; 409 when it is old'}}}},"
		"'lease':{'type':'string'}}}"},
	{"ClaimAnswer",
		"{'type':'object','required':['job_id'],'properties':{"
		"'job_id':{'type':'string'},"
		"'status':{'type':'string','description':'of the job, after an end'},"
		"'lease_until':{'type':['string','null'],'description':'after a heartbeat'},"
		"'cancelled':{'type':'boolean','description':'after a heartbeat: the job was cancelled, stop'},"
		"'error':{'type':'object','properties':{'code':{'type':'string'},'message':{'type':'string'}},'description':'of one of many that was refused'}}}"},
	{"ClaimAnswers",
		"{'type':'object','required':['claims'],'properties':{"
		"'claims':{'type':'array','items':{'$ref':'#/components/schemas/ClaimAnswer'}}}}"},
	{"ClaimsHeld",
		"{'type':'object','properties':{"
		"'clients':{'type':'array','items':{'type':'object','properties':{'client':{'type':'string'},'capabilities':{'type':'array','items':{'type':'string'}},'held':{'type':'integer'},'waiting':{'type':'integer'},'last_contact':{'type':['string','null']},'claimed_total':{'type':'integer'},'completed_total':{'type':'integer'},'failed_total':{'type':'integer'},'released_total':{'type':'integer'},'expired_total':{'type':'integer'}}}},"
		"'claims':{'type':'array','items':{'type':'object','properties':{'job_id':{'type':'string'},'namespace':{'type':'string'},'capability':{'type':'string'},'client':{'type':'string'},'fence':{'type':'integer'},'attempt':{'type':'integer'},'claimed_at':{'type':'string'},'lease_until':{'type':'string'}}}}}}"},
	{NULL, NULL},
};
