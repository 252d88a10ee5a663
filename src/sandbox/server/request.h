// What every request carries beside its command: session and transaction, write and read concern, read preference. Each
// step fills the Invocation or refuses it; dispatch.cc runs them in this order. On the connection's thread.
#pragma once

#include "sandbox/server/command.h"

namespace tidemark::sandbox {

Reply<void> parse_session(Invocation& inv);
Reply<void> parse_write_concern(Invocation& inv);
// Read concern, maxTimeMS and read preference.
Reply<void> parse_read_concern(Invocation& inv);
// May this command run on a member in this role?
Reply<void> check_role(const Invocation& inv);
// readConcern.afterClusterTime: until this member has that entry.
Reply<void> wait_after_cluster_time(const Invocation& inv);
// Begins the transaction, or finds it.
Reply<void> enter_transaction(Invocation& inv);
// After a majority read: until what was read is committed, for it must not be shown before.
Reply<void> wait_read_concern(const Invocation& inv);

}  // namespace tidemark::sandbox
