/* Moves pages from the WAL into the file, beside the writer.
 *
 * A passive checkpoint disturbs nobody, but while commits go on it never comes to the end of the WAL, which therefore only
 * grows. Above restart_bytes the writer is held at a gate, for the few pages that are left and one fsync, and the next commit
 * begins at the WAL's start again.
 *
 * Overwriting a file of constant size makes an fsync twice as fast: there is no new size that the file system must write, too.
 * So the WAL is made as long as it will be before it is used, and stays so, except on a full disk. */
#include "store/sqlite.h"

#include "base/mem.h"

#include <stdlib.h>

enum { MIB = 1 << 20, WAL_BYTES = 20 * MIB };

static int64_t passive_bytes(const struct sqlite_store *s)
{
	return s->options.passive_bytes ? s->options.passive_bytes : 8 * MIB;
}

static int64_t restart_bytes(const struct sqlite_store *s)
{
	return s->options.restart_bytes ? s->options.restart_bytes : 16 * MIB;
}

static sqlite3_file *wal_file(struct sqlite_db *d)
{
	sqlite3_file *wal = NULL;
	if (sqlite3_file_control(d->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) != SQLITE_OK || !wal || !wal->pMethods)
		return NULL;
	return wal;
}

/* At the gate, after all of it was moved into the file and every reader has let go of it: what a long reader, or a
 * backup, had made it grow by goes. */
static void cut_wal(struct sqlite_store *s)
{
	sqlite3_int64 size;
	sqlite3_file *wal = wal_file(&s->checkpoint_db);
	if (wal && wal->pMethods->xFileSize(wal, &size) == SQLITE_OK && size > WAL_BYTES)
		wal->pMethods->xTruncate(wal, WAL_BYTES);
}

/* Zeros, behind whatever frames there are, are no frames. It is done before there are threads; without room for it the WAL
 * grows as it is written. */
void checkpoint_extend_wal(struct sqlite_store *s)
{
	sqlite3_int64 size = 0, at;
	sqlite3_file *wal = wal_file(&s->write_db);
	if (!wal || wal->pMethods->xFileSize(wal, &size) != SQLITE_OK)
		return;
	scoped(mem_free_at) char *zeros = mem_new(MIB);
	bool good = true;
	for (at = size; good && at < WAL_BYTES; at += MIB)
		good = wal->pMethods->xWrite(wal, zeros, at + MIB < WAL_BYTES ? MIB : (int)(WAL_BYTES - at), at) == SQLITE_OK;
	if (!good)
		wal->pMethods->xTruncate(wal, size);
	wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
}

/* True: done. E_IO: an fsync or a write failed: what the file holds is unknown, the store is dead. A busy reader only means "later". */
static bool checkpoint(struct sqlite_store *s, struct sqlite_db *d, int mode)
{
	int in_wal = 0, moved = 0;
	int rc = sqlite3_wal_checkpoint_v2(d->db, NULL, mode, &in_wal, &moved);
	if (rc != SQLITE_OK && rc != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED && db_code(d) == E_IO)
		atomic_store(&s->dead, true);
	int64_t page = s->options.page_size ? s->options.page_size : 4096;
	pthread_mutex_lock(&s->lock);
	if (rc == SQLITE_OK && mode != SQLITE_CHECKPOINT_PASSIVE)
		s->wal_bytes = s->checkpointed_bytes = 0;
	else if (moved > 0)
		s->checkpointed_bytes = moved * page;
	pthread_mutex_unlock(&s->lock);
	return rc == SQLITE_OK;
}

void checkpoint_inline(struct sqlite_store *s)
{
	if (s->wal_bytes >= restart_bytes(s) || atomic_load(&s->full))
		checkpoint(s, &s->write_db, SQLITE_CHECKPOINT_RESTART);
	else if (s->wal_bytes - s->checkpointed_bytes >= passive_bytes(s))
		checkpoint(s, &s->write_db, SQLITE_CHECKPOINT_PASSIVE);
}

/* Under the lock; returns with it. */
static void run_at_gate(struct sqlite_store *s, int mode)
{
	s->gate_wanted = true;
	while (s->writing)
		pthread_cond_wait(&s->gate_free, &s->lock);
	pthread_mutex_unlock(&s->lock);
	if (checkpoint(s, &s->checkpoint_db, mode) && mode == SQLITE_CHECKPOINT_RESTART)
		cut_wal(s);
	pthread_mutex_lock(&s->lock);
	s->gate_wanted = false;
	pthread_cond_signal(&s->work);
}

static void run_passive(struct sqlite_store *s)
{
	pthread_mutex_unlock(&s->lock);
	checkpoint(s, &s->checkpoint_db, SQLITE_CHECKPOINT_PASSIVE);
	pthread_mutex_lock(&s->lock);
}

bool checkpoint_wanted(const struct sqlite_store *s)
{
	return (s->idle && s->wal_bytes > 0) || s->wal_bytes - s->checkpointed_bytes >= passive_bytes(s);
}

void *checkpoint_main(void *store)
{
	struct sqlite_store *s = store;
	pthread_mutex_lock(&s->lock);
	while (!s->stopping) {
		if (!checkpoint_wanted(s)) {
			pthread_cond_wait(&s->checkpoint_work, &s->lock);
			continue;
		}
		bool idle = s->idle;
		s->idle = false; /* once each time */
		run_passive(s);
		if (idle)
			run_at_gate(s, atomic_load(&s->full) ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART);
		else if (s->wal_bytes >= restart_bytes(s))
			run_at_gate(s, SQLITE_CHECKPOINT_RESTART);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}
