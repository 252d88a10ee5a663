// What every error of a change stream means for us: one table, by code and label, never by text, because the
// text of the same condition differs from version to version. Pure; any thread.
#pragma once

#include <string_view>

#include "base/result.h"
#include "mongo/classify.h"

namespace tidemark::mongodb {

// Where the error was raised: by the aggregate, by the first getMore (the server looks for the resume point
// only when the cursor first runs, so that an open's errors may come this late), by a later one, or by
// anything but the stream.
enum class Phase { kOpen, kFirstRead, kRead, kOther };

using mongo::Failure;
using mongo::Origin;

// kReject is returned for an event that is too large (10334, 7182500) alone. `what` begins with `where`. What the table doesn't
// know is kRetry, with a hint that says so: a fault of the surroundings that was taken for the end would end a pipeline that
// had only to wait.
Error classify(const Failure& failure, Phase phase, std::string_view where);

// True for what may come again and again at one event: the server could not compute it (the operator's filter divides by
// zero there, say). Nothing that the table knows to pass is among it. `filtered`: the stream has stages of the operator's.
bool may_be_about_an_event(const Failure& failure, Phase phase, bool filtered);

// True for the refusal of an open that may be the operator's filter's fault: not known to pass, and neither a grant's, a
// kind of deployment's, nor a lost history's.
bool may_be_about_the_filter(const Failure& failure);

// True for an error that classify() made of what the table doesn't know.
bool is_unknown(const Error& error);

// The same error of a stream of what is none: `what` says what it is of.
Error not_a_collection(Error error, std::string_view what);

// Of a stream that opens without its filter, and not with it.
Error filter_refused(const Failure& failure, std::string_view where);

// True for the answers of a server that doesn't know an option or a stage that was tried (startAfter,
// splitting). They are ambiguous (9 is also a mangled token), so that a caller may only try again without it,
// at the same position.
bool may_mean_unsupported(int code);

}  // namespace tidemark::mongodb
