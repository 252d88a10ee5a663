// What guards a row of an SQL sink against older events: bytes that sort as the events' ids do, in a tenth of their size. Of a
// server's resume token the front is enough: cluster time, and the event's place in its transaction. Pure functions: any
// thread may call them. docs/adr/0057-guards-are-bytes.md says why the order holds.
#pragma once

#include <string>
#include <string_view>

#include "core/event.h"

namespace tidemark {

// How a table keeps its guards: by the type of its column, for as long as it stands.
enum class GuardForm {
  kText,   // the event's id, as versions before made tables; a shard key behind a space
  kBytes,  // the front of the token, as below; a shard key behind a zero byte
};

// The guard of an event of this id. As bytes:
//   82 <time> <version> <kind> <index in the transaction> <of an invalidate>   of a server's token, versions 1 and 2
//   that and FF                                                                of a document that was read again
//   the id's bytes, where it is hexadecimal and begins with 82 (a repair's, a token of a later version), else its text
void append_guard(GuardForm form, std::string_view event_id, std::string& out);
// With the shard key where the document no longer shows it (core/row_identity.h).
void append_row_guard(GuardForm form, const Event& event, std::string& out);
// The shard key that a guard carries, or nothing. It points into `guard`.
std::string_view shard_key_of_guard(GuardForm form, std::string_view guard);

}  // namespace tidemark
