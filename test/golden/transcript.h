// The recorded exchanges of test/golden as data: what to do, what to ask, what a real server answered, and in
// what the sandbox is known to answer differently. Plain values, read once by a test.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark::golden {

enum class Server { kFourTwo, kSeven };

struct Step {
  int number = -1;  // of the exchange; -1: a write that makes the next exchanges possible
  std::string section;
  std::string name;
  std::string database;
  bson::Document command;
  bson::Document reply;  // expected; none for a write
  std::string skip;      // why this step isn't replayed
};

// The steps in order, replies as the given server words them: recorded for 4.2; for 7.0 derived from them
// where the differences are known (seven.jsonl).
Result<std::vector<Step>> load_steps(const std::string& folder, Server server);

// A row of differences.md: in these steps, at these places, the sandbox answers differently; `used` once it
// did, and from the beginning where the row says that it does so sometimes.
struct KnownDifference {
  std::string version;  // "4.2" or "7.0"
  int first = 0, last = 0;
  std::string path;  // '*' stands for any text
  bool used = false;
};

Result<std::vector<KnownDifference>> load_differences(const std::string& folder);

}  // namespace tidemark::golden
