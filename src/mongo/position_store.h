// The position of a pipeline in a document of a MongoDB collection, under the lease of mongo/lease.h: what the position
// store `mongodb` and the sink's own positions share.
//
// The lease is renewed by each save, and a pipeline saves at least every ten seconds while its high-water mark moves,
// which it does even on an idle deployment; so lease_ttl must be longer than that. Whoever wants a lease that another
// holds waits until it is renewed (the other lives: kFenced at once) or ends (the other was killed: it is
// taken), so that the restart after a `kill -9` needs no help. An owner that saves nothing for longer than lease_ttl, because
// its sink is down, say, may lose the lease to another instance, and is then refused by its epoch.
// Used by one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/position_store.h"
#include "env/clock.h"
#include "mongo/client.h"
#include "mongo/lease.h"

namespace tidemark::mongo {

class LeasedPositionStore final : public PositionStore {
 public:
  // `client` is used by the store's thread alone; the owner of a transaction shares it.
  LeasedPositionStore(std::shared_ptr<Client> client, std::string database, Lease lease, Clock& clock);
  ~LeasedPositionStore() override { release(); }

  // Waits at most lease_ttl. Acquiring again keeps the lease and raises the epoch: what an earlier save of this store
  // still has on its way is refused.
  Result<std::optional<StoredPosition>> acquire(const PositionContext& context,
                                                std::stop_token stop) override;
  Status save(const DurablePosition& position, std::stop_token stop) override;
  Result<std::optional<StoredPosition>> peek(const std::string& pipeline, std::stop_token stop) override;
  Status erase(std::stop_token stop) override;
  void release() override;
  std::string describe() const override;

  // Saves inside of the client's transaction: durable with its commit.
  Status save_in_transaction(const Position& position, std::stop_token stop);
  // Saves a position whose events the caller has made durable.
  Status save_after(const Position& position, std::stop_token stop) { return put(position, std::move(stop)); }
  // kFenced when the lease is another's by now, gone() when there is no position any more.
  Status check(std::stop_token stop);
  // kConfig: the position's document was removed, or its collection dropped, while its owner ran.
  Error gone() const;
  bool held() const { return held_; }

 private:
  using MakeCommand = std::function<bson::Document(const LeaseClock&)>;

  LeaseClock lease_clock() const { return {server_time_, clock_.wall_ms()}; }
  Result<bson::Document> take_lease(std::stop_token stop);
  Result<bson::Document> try_lease(std::stop_token stop);
  Result<bson::Document> wait_for_lease(std::stop_token stop);
  Status put(const Position& position, std::stop_token stop);
  Status change(const MakeCommand& command, std::stop_token stop);
  Result<bson::Document> find(const std::string& pipeline, std::stop_token stop);
  tl::unexpected<Error> held_by_another(const std::string& why) const;
  tl::unexpected<Error> fenced(const std::string& why) const;
  tl::unexpected<Error> corrupt(const std::string& why) const;

  const std::shared_ptr<Client> client_;
  const std::string database_;
  Lease lease_;
  Clock& clock_;
  PositionContext context_;
  bool held_ = false;
  bool damaged_ = false;     // what is stored can't be read: only erase() is allowed
  bool released_ = false;    // a lease was given back: a late save is refused, not a programmer's error
  bool server_time_ = true;  // leases end by the server's clock
};

}  // namespace tidemark::mongo
