// The sink `mongodb` and its own positions through the suites that every implementation passes.
#include "conformance/sink_contract.h"

#include "conformance/current_rows_contract.h"
#include "conformance/position_store_contract.h"
#include "conformance/transactional_sink_contract.h"
#include "integration/mongodb/fixture.h"
#include "support/lossy_proxy.h"

namespace tidemark::testing {
namespace {

struct Base : Deployment {
  // A URI that leads through the proxy to the primary alone.
  std::string proxied(const std::string& options) {
    if (!proxy) proxy = std::make_unique<LossyProxy>(primary_port());
    return "mongodb://127.0.0.1:" + std::to_string(proxy->port()) + "/?directConnection=true" + options;
  }
  std::vector<std::string> tokens() const {
    std::vector<std::string> ids;
    const auto found = mongo().find(database(), "orders");
    if (!found) ADD_FAILURE() << found.error().describe();
    for (const bson::Document& document : *found) {
      const auto guard = document.view().find("_tidemark");
      const auto id = document.view().find("_id");
      ids.push_back(guard ? std::string(guard->string())
                          : token_hex(static_cast<uint32_t>(id->integer().value_or(0))));
    }
    return ids;
  }
  std::unique_ptr<LossyProxy> proxy;
};

template <bool kInsert, bool kRetryWrites = false>
struct LaneHarness : Base {
  std::shared_ptr<Sink> make() {
    const std::string options = kRetryWrites ? "&retryWrites=true" : "&retryWrites=false";
    return mongodb_sink_component()
        .plain(sink_settings(kInsert ? "insert" : "current", proxied(options)), context())
        .value();
  }
  std::vector<std::string> ids() { return tokens(); }
  bool fail_operation(int n) {
    proxied("");
    proxy->lose_request(n);
    return true;
  }
  bool fault_was_hit() { return proxy->lost(); }
  // Nothing of the sink is on this side; what the server has committed is its own affair.
  void crash() { proxy->lose_nothing(); }
};

template <bool kInsert, bool kTransactions = true>
struct TransactionalHarness : Base {
  std::shared_ptr<TransactionalSink> make() {
    auto settings = sink_settings(kInsert ? "insert" : "current", proxied(""));
    settings.set("transaction", std::string(kTransactions ? "auto" : "off"));
    return mongodb_sink_component().transactional(settings, context()).value();
  }
  std::vector<std::string> ids() { return tokens(); }
  // WriteConflict: one that passes, and that the driver doesn't repeat by itself.
  bool fail_next_write() { return fail_commands(R"(["update", "insert"])", 112); }
  // The driver repeats a commit once by itself.
  bool lose_next_answer() {
    if (!kTransactions) return false;
    proxy->lose_answers(2, "commitTransaction", "");
    return true;
  }
};

struct StoreHarness : Base {
  std::shared_ptr<PositionStore> make() {
    std::shared_ptr<TransactionalSink> sink =
        mongodb_sink_component().transactional(sink_settings("current"), context()).value();
    return {sink, &sink->position_store()};
  }
  bool corrupt() {
    return mongo()
        .update(database(), "tidemark_positions", R"({"_id": "orders"})",
                R"({"$set": {"token._data": "82FF"}})")
        .has_value();
  }
  bool fail_next_save() { return fail_commands(R"(["update"])", 112); }
};

INSTANTIATE_TYPED_TEST_SUITE_P(MongodbSinksOwn, PositionStoreContract, StoreHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(MongodbCurrent, TransactionalSinkContract, TransactionalHarness<false>);
INSTANTIATE_TYPED_TEST_SUITE_P(MongodbInsert, TransactionalSinkContract, TransactionalHarness<true>);
using WithoutTransactions = TransactionalHarness<false, false>;
INSTANTIATE_TYPED_TEST_SUITE_P(MongodbWithoutTransactions, TransactionalSinkContract, WithoutTransactions);
INSTANTIATE_TYPED_TEST_SUITE_P(MongodbCurrentLane, SinkContract, LaneHarness<false>);
INSTANTIATE_TYPED_TEST_SUITE_P(MongodbInsertLane, SinkContract, LaneHarness<true>);
INSTANTIATE_TYPED_TEST_SUITE_P(MongodbLane, CurrentRowsContract, LaneHarness<false>);
using RetriedByTheDriver = LaneHarness<true, true>;
INSTANTIATE_TYPED_TEST_SUITE_P(MongodbRetriedLane, SinkContract, RetriedByTheDriver);

}  // namespace
}  // namespace tidemark::testing
