/* Free pages go back to the file system. The file stays under twice what is live, and VACUUM_LEAST pages more:
 *
 *   idle    all at once, some pages a transaction, until work comes
 *   busy    some pages with every transaction, so that a store that is never idle does not keep what a drained queue had filled
 *
 * Moving a page costs two writes, so nothing is done while less than half of the file is free. */
#include "store/sqlite.h"

#include <stdio.h>

enum {
	VACUUM_LEAST = 1024, /* free pages that are left alone */
	IDLE_PAGES = 256, /* in one transaction */
	BUSY_PAGES = 512,
	CHECK_COMMITS = 4, /* between two looks at how much is free */
};

static bool too_much(struct sqlite_store *s)
{
	int64_t unused = db_pragma(&s->write_db, "freelist_count"), all = db_pragma(&s->write_db, "page_count");
	return unused >= VACUUM_LEAST && unused * 2 >= all;
}

static enum errcode give_back(struct sqlite_store *s, unsigned pages)
{
	char sql[60];
	snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%u)", pages);
	return db_exec(&s->write_db, sql, NULL);
}

enum errcode vacuum_within(struct sqlite_store *s)
{
	if (++s->vacuum_commits % CHECK_COMMITS == 0)
		s->vacuum_wanted = too_much(s);
	return s->vacuum_wanted ? give_back(s, BUSY_PAGES) : E_OK;
}

bool vacuum_idle(struct sqlite_store *s)
{
	if (atomic_load(&s->dead) || !too_much(s))
		return false;
	return give_back(s, IDLE_PAGES) == E_OK;
}
