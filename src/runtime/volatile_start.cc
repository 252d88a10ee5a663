#include "runtime/volatile_start.h"

namespace tidemark {
namespace {

class StartAtNow final : public PositionStore {
 public:
  StartAtNow(std::unique_ptr<PositionStore> inner, Source& source)
      : inner_(std::move(inner)), source_(source) {}

  Result<std::optional<StoredPosition>> acquire(const PositionContext& context,
                                                std::stop_token stop) override {
    TIDEMARK_ASSIGN(std::optional<StoredPosition> stored, inner_->acquire(context, stop));
    if (stored) return stored;
    auto now = source_.resolve(StartPoint{}, stop);
    if (!now) {
      inner_->release();  // acquired again with the next try
      return fail(std::move(now).error());
    }
    StoredPosition first;
    first.position = std::move(*now);
    first.fingerprint = context.fingerprint;
    first.deployment = context.deployment;
    return first;
  }
  Status save(const DurablePosition& position, std::stop_token stop) override {
    return inner_->save(position, stop);
  }
  Result<std::optional<StoredPosition>> peek(const std::string& pipeline, std::stop_token stop) override {
    return inner_->peek(pipeline, stop);
  }
  Status erase(std::stop_token stop) override { return inner_->erase(stop); }
  void release() override { inner_->release(); }
  std::string describe() const override { return inner_->describe(); }

 private:
  const std::unique_ptr<PositionStore> inner_;
  Source& source_;
};

}  // namespace

std::unique_ptr<PositionStore> start_at_now(std::unique_ptr<PositionStore> inner, Source& source) {
  return std::make_unique<StartAtNow>(std::move(inner), source);
}

}  // namespace tidemark
