#include "sandbox/server/labels.h"

#include <algorithm>
#include <array>

namespace tidemark::sandbox {
namespace {

constexpr std::array kStateChange = {91, 189, 10107, 11600, 11602, 13435, 13436};
constexpr std::array kNetworkLike = {6, 7, 89, 9001, 262};
constexpr std::array kResumable = {6,   7,    63,    89,    91,    133,   150,   189,  234,
                                   262, 9001, 10107, 11600, 11602, 13388, 13435, 13436};
constexpr std::array kTransient = {24, 112, 246, 251, 267};

template <size_t N>
bool in(const std::array<int, N>& codes, int code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

bool is_state_change(int code) { return in(kStateChange, code); }

std::vector<std::string> error_labels(const LabelQuestion& q) {
  std::vector<std::string> labels;
  const bool commits = q.command == "commitTransaction";
  const bool ends = commits || q.command == "abortTransaction";
  const bool retryable_code = is_state_change(q.code) || in(kNetworkLike, q.code);
  if (q.in_transaction) {
    const bool transient = in(kTransient, q.code) || (!ends && retryable_code);
    if (transient) labels.emplace_back("TransientTransactionError");
  }
  if (q.version < ServerVersion{4, 4}) return labels;
  if ((q.retryable_write || ends) && retryable_code) labels.emplace_back("RetryableWriteError");
  if (q.change_stream_get_more && in(kResumable, q.code)) labels.emplace_back("ResumableChangeStreamError");
  return labels;
}

}  // namespace tidemark::sandbox
