/* schedules.h - what the files of /v1/schedules share. */
#pragma once
#include "api/api.h"

/* An answer that waits until what it says is on the disk. */
struct saving {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	char *namespace, *name; /* of the schedule that is shown; or: */
	struct buf answer;
	int status;
};
struct saving *saving_new(struct api *a, struct http_request *r, int status); /* is r's data from now on */
void saving_free(struct saving *s);
void saving_done(void *context, enum errcode code); /* a schedule_done: answers, frees */
/* A change is in force at once and must not be refused afterwards: on a full disk it is answered, and true. */
bool saving_refused(struct api *a, struct http_request *r);

/* schedule_define.c */
void schedule_create(void *context, struct http_request *r);
void schedule_replace(void *context, struct http_request *r);
void schedule_preview(void *context, struct http_request *r);
