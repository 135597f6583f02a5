// A worker in C++17: the same file is a program and a module. An exception must not leave a callback, so `guarded` turns it into
// a failure of the job.
#include <reeve/worker.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <string>

namespace
{

struct State {
	std::string prefix;
};

template <int (*Handler)(State &, reeve_job *)> int guarded(void *state, reeve_job *job)
{
	try {
		return Handler(*static_cast<State *>(state), job);
	} catch (const std::exception &e) {
		reeve_fail(job, "EXCEPTION", 1, e.what());
	} catch (...) {
		reeve_fail(job, "EXCEPTION", 1, "something that is no std::exception was thrown");
	}
	return REEVE_E_INTERNAL;
}

int reverse(State &state, reeve_job *job)
{
	const reeve_bytes in = reeve_input(job);
	std::string text(in.data ? in.data : "", in.size);

	if (text.size() < 2 || text.front() != '"' || text.find('\\') != std::string::npos) {
		reeve_fail(job, "NOT_A_STRING", 0, "the input must be a JSON string without escapes");
		return REEVE_E_INVALID;
	}
	std::reverse(text.begin() + 1, text.end() - 1);
	const std::string reply = "{\"" + state.prefix + "reversed\":" + text + "}";
	return reeve_reply(job, reply.data(), reply.size());
}

int start(reeve_instance *self, void **out)
{
	try {
		auto state = std::make_unique<State>();
		const reeve_bytes config = reeve_config(self);
		if (std::string(config.data, config.size).find("\"loud\":true") != std::string::npos)
			state->prefix = "LOUDLY_";
		*out = state.release();
		return REEVE_OK;
	} catch (...) {
		return REEVE_E_NO_MEMORY;
	}
}

void stop(void *state)
{
	delete static_cast<State *>(state);
}

reeve_capability make_capability()
{
	reeve_capability c{};
	c.size = sizeof c;
	c.name = "cpp.reverse";
	c.version = "1.0.0";
	c.summary = "Reverses a string.";
	c.mode = "transactional";
	c.flags = REEVE_IDEMPOTENT;
	c.handle = guarded<reverse>;
	return c;
}

const reeve_capability reverse_capability = make_capability();
const reeve_capability *const capabilities[] = {&reverse_capability, nullptr};

reeve_worker make_worker()
{
	reeve_worker w{};
	w.size = sizeof w;
	w.abi = REEVE_ABI;
	w.name = "worker-cpp";
	w.version = "1.0.0";
	w.capabilities = capabilities;
	w.start = start;
	w.stop = stop;
	return w;
}

} // namespace

const reeve_worker reeve_export = make_worker();
