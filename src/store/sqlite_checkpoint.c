/* Moves pages from SQLite's WAL into the file, on the applier's thread between two transactions: nobody waits for it.
 *
 * Afterwards the next transaction begins at the WAL's start again, unless a reader is still in it: then it grows, and the next
 * time is soon. */
#include "store/sqlite.h"

static int64_t checkpoint_bytes(const struct sqlite_store *s)
{
	return s->options.checkpoint_bytes ? s->options.checkpoint_bytes : 8 << 20;
}

/* E_IO: an fsync or a write failed: what the file holds is unknown, the store is dead. A busy reader only means "later". */
static bool checkpoint(struct sqlite_store *s, int mode)
{
	int in_wal = 0, moved = 0;
	int rc = sqlite3_wal_checkpoint_v2(s->checkpoint_db.db, NULL, mode, &in_wal, &moved);
	if (rc != SQLITE_OK && rc != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED && db_code(&s->checkpoint_db) == E_IO)
		atomic_store(&s->dead, true);
	return rc == SQLITE_OK && moved == in_wal;
}

static void restart(struct sqlite_store *s)
{
	/* On a full disk, or where a long reader made it grow, it is space, too. */
	bool cut = atomic_load(&s->full) || s->wal_bytes > 2 * checkpoint_bytes(s);
	int mode = cut ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART;
	if (checkpoint(s, SQLITE_CHECKPOINT_PASSIVE) && checkpoint(s, mode))
		s->wal_bytes = 0;
}

void checkpoint_run(struct sqlite_store *s)
{
	if (s->wal_bytes >= checkpoint_bytes(s) || atomic_load(&s->full))
		restart(s);
}

void checkpoint_run_idle(struct sqlite_store *s)
{
	if (s->wal_bytes > 0)
		restart(s);
}
