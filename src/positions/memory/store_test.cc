#include "positions/memory/store.h"

#include "conformance/position_store_contract.h"
#include "support/manual_clock.h"

namespace tidemark::testing {
namespace {

struct MemoryHarness {
  std::optional<std::string> unavailable() { return std::nullopt; }
  std::shared_ptr<PositionStore> make() { return make_memory_store(shelf, "orders", clock); }
  void break_lease() {
    MutexLock lock(shelf->mutex);
    shelf->slots["orders"].owned = false;
  }
  bool corrupt() { return false; }
  bool fail_next_save() { return false; }

  ManualClock clock;
  std::shared_ptr<PositionShelf> shelf = std::make_shared<PositionShelf>();
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, PositionStoreContract, MemoryHarness);

}  // namespace
}  // namespace tidemark::testing
