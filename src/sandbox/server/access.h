// Whether a connection may run a command: who it is by now, and what that user's roles allow.
#pragma once

#include "sandbox/server/command.h"

namespace tidemark::sandbox {

// 13 Unauthorized for who isn't known, was dropped since, or may not. Everybody may everything where the set was started
// without a user.
Reply<void> check_privileges(Invocation& inv);

}  // namespace tidemark::sandbox
