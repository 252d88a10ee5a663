// What happens to the whole collection of a Writer: $out, renames onto it, out of it and back, within a database and across
// two. Each is repeated until its outcome is known, so that nothing here is unknown but how many rename events it has left.
#include <chrono>

#include <fmt/format.h>

#include "chaos/ends.h"
#include "chaos/writer_parts.h"
#include "support/process.h"

namespace tidemark::chaos {
namespace {

constexpr int kNamespaceNotFound = 26;
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kPause{10};
// No time limit of its own for an answer: what has not been answered may still be under way.
constexpr const char* kPatient =
    "&appName=mover&serverSelectionTimeoutMS=1000&"
    "connectTimeoutMS=500&socketTimeoutMS=60000";
constexpr const char* kMajority = R"("writeConcern": {"w": "majority"})";

std::string rename_command(const std::string& from, const std::string& to) {
  return fmt::format(R"({{"renameCollection": "{}", "to": "{}", "dropTarget": true, {}}})", from, to,
                     kMajority);
}

// Acknowledged by the majority, and not by the primary alone.
bool acknowledged(const Result<bson::Document>& reply) {
  return reply.has_value() && !reply->view().find("writeConcernError");
}

}  // namespace

// All at once, into a collection that nobody else knows.
bool Writer::fill(const std::string& database, const std::string& collection,
                  const std::vector<bson::Document>& documents) {
  bson::Builder list, concern, command;
  for (size_t i = 0; i < documents.size(); ++i) list.append(std::to_string(i), documents[i].view());
  command.append("insert", collection)
      .append_array("documents", list.view())
      .append("writeConcern", concern.append("w", "majority").view());
  return acknowledged(testing::Mongo(options_.uri + kPatient).run(database, command.view()));
}

// How often it was tried, and so may have happened at most. `renames`: what it renames is gone once it has happened.
int Writer::run_until_known(const std::string& database, const std::string& command, bool renames) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool gone_before = false;
  for (int tries = 1;; ++tries) {
    // A client alone waits 5 s before it asks a member again that has just failed.
    const auto reply = testing::Mongo(options_.uri + kPatient).run(database, command);
    if (acknowledged(reply)) return tries;
    const bool gone = renames && tries > 1 && !reply && reply.error().code == kNamespaceNotFound;
    // Gone before the majority has acknowledged a later write, and behind it: it stays so.
    if (gone && gone_before) return tries;
    gone_before = gone && fill(options_.database + "_other", "marks", {testing::json("{}")});
    if (std::chrono::steady_clock::now() > deadline) {
      contradiction_ =
          command + " did not succeed: " + (reply ? "not acknowledged" : reply.error().describe());
      return tries;
    }
    testing::internal::pause(kPause);
  }
}

void Writer::move_collection() {
  const bool any = std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.present; });
  const uint64_t how = client_->random.below(7);
  ++moves_;
  if (how < 4 || !any) return replace_collection(how % 4);
  move_away(how == 6, how != 5);
}

// By an $out, by a rename within the database, by one of a temporary collection, or from another database.
void Writer::replace_collection(uint64_t how) {
  const std::string database = how == 3 ? options_.database + "_other" : options_.database;
  std::string from;
  std::vector<Planned> brought;
  std::vector<bson::Document> documents;
  for (Slot& slot : slots_) {
    if (client_->random.below(2) == 0) continue;
    brought.push_back(plan(slot, Op::kInsert));
    documents.push_back(document_of(brought.back().id, slot.number, brought.back().write.n, true));
  }
  if (documents.empty()) return;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  // One whose outcome isn't known is left alone.
  for (int tries = 0;; ++tries) {
    from = how == 2 ? fmt::format("tmp.agg_out.{:08x}-0000-4000-8000-{:012x}", moves_, tries)
                    : fmt::format("made_{}_{}", moves_, tries);
    if (fill(database, from, documents)) break;
    if (std::chrono::steady_clock::now() > deadline) {
      contradiction_ = "no collection could be made to replace the other";
      return;
    }
    testing::internal::pause(kPause);
  }
  const std::string out =
      fmt::format(R"({{"aggregate": "{}", "pipeline": [{{"$out": "{}"}}], "cursor": {{}}, {}}})", from,
                  kCollection, kMajority);
  const int tries =
      how == 0
          ? run_until_known(database, out, false)
          : run_until_known(
                "admin", rename_command(database + "." + from, options_.database + "." + kCollection), true);
  history_.gone();
  history_.renamed(1, tries);
  for (Slot& slot : slots_) slot.present = false;
  for (Planned& planned : brought) {
    Slot& slot = slots_[planned.slot];
    planned.write.op = Op::kBrought;
    settle(slot, std::move(planned), true);
  }
}

void Writer::move_away(bool other_database, bool back) {
  const std::string here = options_.database + "." + kCollection;
  const std::string away =
      options_.database + (other_database ? "_other.away_" : ".away_") + std::to_string(moves_);
  const int tries = run_until_known("admin", rename_command(here, away), true);
  // Into another database it is copied, and then dropped.
  other_database ? history_.dropped(1, tries) : history_.renamed(1, tries);
  if (back) {
    history_.renamed(1, run_until_known("admin", rename_command(away, here), true));
    return;
  }
  history_.gone();
  for (Slot& slot : slots_) slot.present = false;
}

}  // namespace tidemark::chaos
