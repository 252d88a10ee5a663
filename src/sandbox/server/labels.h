// Which labels the server puts on an error, by code and by the kind of command: what drivers decide to retry by.
// Pure functions (mongodb/specifications: retryable-writes, transactions, change-streams; the server's error_labels.cpp).
#pragma once

#include <string>
#include <vector>

#include "sandbox/store/version.h"

namespace tidemark::sandbox {

struct LabelQuestion {
  int code = 0;
  std::string_view command;
  ServerVersion version;
  bool retryable_write = false;  // has a txnNumber outside a transaction
  bool in_transaction = false;
  bool change_stream_get_more = false;
};

std::vector<std::string> error_labels(const LabelQuestion& question);
// Codes of a member that is not, or no longer, primary, or shuts down: the reply then carries topologyVersion.
bool is_state_change(int code);

}  // namespace tidemark::sandbox
