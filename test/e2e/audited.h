// A pipeline whose two ends are audited by the real program: {_id: N, n: N, status: "open"} from a replica set to an end that
// the test can damage.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "e2e/audited_end.h"
#include "e2e/relay.h"

namespace tidemark::e2e {

// Which documents were damaged, and how.
struct Damage {
  std::vector<int> removed, twisted, retyped, invented;

  // One in a hundred of `documents` of each: removed, changed (half of them in their type alone), invented.
  static Damage of(int documents);
  void inflict(AuditedEnd& end) const;
  // "missing ID", "different ID", "extra ID" with canonical ids.
  std::set<std::string> names() const;
  // The canonical ids alone.
  std::set<std::string> ids() const;
};

class Audited : public EndToEnd {
 protected:
  // Skips the test where the end's server is not there. `guard` is the text of [guard] and its tables.
  void audit_to(EndKind kind, const std::string& guard = kQuick);
  // Makes a position, writes so many documents and relays them. Then the relay runs on, or has ended.
  void copy(int documents, bool running = false);
  void write_documents(int from, int count);
  void stop_relay();
  // `tidemark audit FILE ARGS... --json`, which must exit with `code`; its one audit.
  nlohmann::json audit(int code, std::vector<std::string> further = {});
  // "missing ID", ... of its differences.
  static std::set<std::string> names(const nlohmann::json& audit);

  // Differences are looked at again after a moment instead of after seconds.
  static constexpr const char* kQuick =
      "[[guard.audit]]\npipeline = \"orders\"\nrecheck_after = \"100ms\"\nevery = \"0s\"\n";

  std::unique_ptr<AuditedEnd> end_;
  std::unique_ptr<testing::Process> relay_;
};

}  // namespace tidemark::e2e
