/* The end: instances drain and stop, then the loop ends. What is acknowledged is in the store at any moment. */
#include "daemon/daemon.h"

void stop_begin(struct daemon *d, int exit_code)
{
	if (d->stopping)
		return;
	d->stopping = true;
	d->exit_code = exit_code;
	log_write(LOG_LEVEL_INFO, "stopping", NULL);
	dispatch_hold(d->dispatch, true); /* what runs may end; nothing new begins */
	claims_stop(d->claims);
	stop_check(d);
}

void stop_check(struct daemon *d)
{
	if (d->stopping && supervisor_shutdown(d->supervisor))
		loop_stop(d->loop);
}
