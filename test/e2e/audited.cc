#include "e2e/audited.h"

#include <algorithm>
#include <csignal>

#include "bson/json.h"

namespace tidemark::e2e {

using testing::Finished;

Damage Damage::of(int documents) {
  Damage damage;
  for (int n = 0; n < documents; n += 100) {
    damage.removed.push_back(n + 3);
    (n % 200 == 0 ? damage.twisted : damage.retyped).push_back(n + 7);
    damage.invented.push_back(1'000'000 + n);
  }
  return damage;
}

void Damage::inflict(AuditedEnd& end) const {
  end.invent(invented);
  end.remove(removed);
  end.twist(twisted);
  end.retype(retyped);
}

std::set<std::string> Damage::names() const {
  std::set<std::string> all;
  for (const int n : removed) all.insert("missing " + AuditedEnd::id_of(n));
  for (const int n : twisted) all.insert("different " + AuditedEnd::id_of(n));
  for (const int n : retyped) all.insert("different " + AuditedEnd::id_of(n));
  for (const int n : invented) all.insert("extra " + AuditedEnd::id_of(n));
  return all;
}

std::set<std::string> Damage::ids() const {
  std::set<std::string> all;
  for (const std::string& name : names()) all.insert(name.substr(name.find(' ') + 1));
  return all;
}

void Audited::audit_to(EndKind kind, const std::string& guard) {
  if (const auto reason = AuditedEnd::unavailable(kind)) GTEST_SKIP() << *reason;
  end_ = AuditedEnd::make(kind, folder_, setup_.uri, setup_.database + "_copy");
  setup_.sink = end_->toml();
  setup_.after = guard;
  write_config();
}

void Audited::write_documents(int from, int count) {
  std::vector<bson::Document> documents;
  for (int n = from; n < from + count; ++n)
    documents.push_back(testing::json("{\"_id\": " + std::to_string(n) + ", \"n\": " + std::to_string(n) +
                                      ", \"status\": \"open\"}"));
  const Status done = client_->insert_many(setup_.database, setup_.collection, documents);
  ASSERT_TRUE(done) << done.error().describe();
}

void Audited::copy(int documents, bool running) {
  init_position();
  relay_ = start_relay(config_);
  write_documents(0, documents);
  ASSERT_TRUE(testing::eventually([&] {
    return !relay_->running() || end_->rows().size() >= static_cast<size_t>(documents);
  })) << relay_->error_output();
  ASSERT_TRUE(relay_->running()) << relay_->error_output();
  if (!running) stop_relay();
}

void Audited::stop_relay() {
  relay_->signal(SIGTERM);
  const auto status = relay_->wait();
  ASSERT_TRUE(status.has_value()) << "the relay did not stop";
  EXPECT_EQ(status->code, 0) << relay_->error_output();
}

nlohmann::json Audited::audit(int code, std::vector<std::string> further) {
  std::vector<std::string> args = {"audit", config_, "--json"};
  args.insert(args.end(), further.begin(), further.end());
  const Finished finished = tidemark(args);
  EXPECT_THAT(finished, ExitsWith(code));
  const auto parsed = nlohmann::json::parse(finished.output, nullptr, false);
  if (parsed.is_discarded() || !parsed.contains("audits") || parsed["audits"].size() != 1) {
    ADD_FAILURE() << "not one audit: " << describe(finished);
    return {};
  }
  return parsed["audits"][0];
}

std::set<std::string> Audited::names(const nlohmann::json& audit) {
  std::set<std::string> all;
  if (!audit.contains("differences")) return all;
  for (const auto& difference : audit["differences"])
    all.insert(difference["kind"].get<std::string>() + " " + difference["id"].dump());
  return all;
}

}  // namespace tidemark::e2e
