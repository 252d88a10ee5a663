#include "mongo/position_store.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/log.h"

namespace tidemark::mongo {
namespace {

constexpr int kTypeMismatch = 14;
constexpr int kNotNumeric = 16554;
// How a server that has no pipeline updates, or no $$NOW, answers them.
constexpr std::array kUnsupported = {2, 9, kTypeMismatch, 303, 17276, 40324, 168, 238};

constexpr std::chrono::milliseconds kPoll{500};
// Beyond the lease's own time: the two servers' answers that lie between.
constexpr std::chrono::milliseconds kGrace{2'000};

bool is_unsupported(int code) {
  return std::find(kUnsupported.begin(), kUnsupported.end(), code) != kUnsupported.end();
}

// What changes whenever an owner renews its lease, or another takes it.
struct Sign {
  int64_t until_ms = 0;
  int64_t epoch = 0;
  friend bool operator==(const Sign&, const Sign&) = default;
};

Sign sign_of(bson::View document) {
  Sign sign;
  const auto until = document.find("leaseUntil");
  if (until && until->type() == BSON_TYPE_DATE_TIME) sign.until_ms = bson_iter_date_time(&until->iter());
  if (const auto epoch = document.find("epoch")) sign.epoch = epoch->integer().value_or(0);
  return sign;
}

}  // namespace

LeasedPositionStore::LeasedPositionStore(std::shared_ptr<Client> client, std::string database, Lease lease,
                                         Clock& clock)
    : client_(std::move(client)), database_(std::move(database)), lease_(std::move(lease)), clock_(clock) {
  // For good: an owner whose answer was lost knows its own lease again.
  lease_.owner = new_id();
}

Result<std::optional<StoredPosition>> LeasedPositionStore::acquire(const PositionContext& context,
                                                                   std::stop_token stop) {
  if (context.pipeline != lease_.pipeline) release();
  released_ = released_ || held_;
  held_ = false;
  context_ = context;
  lease_.pipeline = context.pipeline;
  auto inserted = client_->write(database_, insert_command(lease_), stop);
  if (!inserted && inserted.error().code != kDuplicateKey) return fail(std::move(inserted).error());
  TIDEMARK_ASSIGN(const bson::Document document, take_lease(std::move(stop)));
  held_ = true;
  const auto epoch = document.view().find("epoch");
  lease_.epoch = static_cast<uint64_t>(epoch ? epoch->integer().value_or(0) : 0);
  auto stored = read_position(document);
  // The lease stays with this owner, so that the operator's reset can erase what nobody can read.
  damaged_ = !stored;
  if (!stored) return corrupt(stored.error().what);
  return stored;
}

Result<bson::Document> LeasedPositionStore::take_lease(std::stop_token stop) {
  TIDEMARK_ASSIGN(bson::Document taken, try_lease(stop));
  if (taken) return taken;
  return wait_for_lease(std::move(stop));
}

// The document once the lease is this owner's; "no document" when another holds it.
Result<bson::Document> LeasedPositionStore::try_lease(std::stop_token stop) {
  auto reply = client_->write(database_, acquire_command(lease_, lease_clock()), stop);
  if (!reply && server_time_ && is_unsupported(reply.error().code)) {
    server_time_ = false;
    reply = client_->write(database_, acquire_command(lease_, lease_clock()), stop);
  }
  if (!reply) {
    const int code = reply.error().code;
    if (code == kTypeMismatch || code == kNotNumeric) return corrupt("its epoch is not a number");
    return fail(std::move(reply).error());
  }
  const auto value = reply->view().find("value");
  return value && value->is_document() ? bson::Document(value->document()) : bson::Document();
}

Result<bson::Document> LeasedPositionStore::wait_for_lease(std::stop_token stop) {
  const Mono end = clock_.now() + lease_.ttl + kGrace;
  const auto poll = std::clamp(lease_.ttl / 4, std::chrono::milliseconds(1), kPoll);
  TIDEMARK_ASSIGN(bson::Document document, find(lease_.pipeline, stop));
  const Sign first = sign_of(document);
  log::info("{}: {}: another instance held the lease; waiting at most {} s until it ends or is renewed",
            lease_.pipeline, describe(), lease_.ttl.count() / 1000);
  while (clock_.now() < end) {
    if (!clock_.sleep_until(clock_.now() + poll, stop))
      return fail(React::kCancelled, describe() + ": stop was requested");
    TIDEMARK_ASSIGN(document, find(lease_.pipeline, stop));
    if (sign_of(document) != first) return held_by_another("and renews it");
    TIDEMARK_ASSIGN(bson::Document taken, try_lease(stop));
    if (taken) return taken;
  }
  return held_by_another("for longer than this one's lease_ttl");
}

Status LeasedPositionStore::save(const DurablePosition& position, std::stop_token stop) {
  return put(position.get(), std::move(stop));
}

Status LeasedPositionStore::save_in_transaction(const Position& position, std::stop_token stop) {
  TIDEMARK_CHECK(client_->in_transaction(), "a position was saved outside of its transaction");
  return put(position, std::move(stop));
}

Status LeasedPositionStore::put(const Position& position, std::stop_token stop) {
  TIDEMARK_CHECK(held_ || released_, "a position was saved without a lease");
  if (!held_) return fenced("the lease was given back");
  if (damaged_) return corrupt("it could not be read");
  StoredPosition stored;
  stored.position = position;
  stored.saved_at_ms = clock_.wall_ms();
  stored.fingerprint = context_.fingerprint;
  stored.deployment = context_.deployment;
  return change([&](const LeaseClock& clock) { return save_command(lease_, clock, stored); },
                std::move(stop));
}

// A change under the lease. `command` makes it for a clock; n = 0 means that the lease is another's.
Status LeasedPositionStore::change(const MakeCommand& command, std::stop_token stop) {
  auto reply = client_->write(database_, command(lease_clock()), stop);
  if (!reply && server_time_ && !client_->in_transaction() && is_unsupported(reply.error().code)) {
    server_time_ = false;
    reply = client_->write(database_, command(lease_clock()), stop);
  }
  if (!reply) return fail(std::move(reply).error());
  const auto n = reply->view().find("n");
  if (n && n->integer().value_or(0) != 0) return {};
  // Inside of a transaction the document can't be asked for.
  if (!client_->in_transaction()) TIDEMARK_TRY(check(std::move(stop)));
  return fenced("another owner has taken it");
}

Status LeasedPositionStore::check(std::stop_token stop) {
  if (!held_) return fenced("the lease was given back");
  TIDEMARK_ASSIGN(const bson::Document document, find(lease_.pipeline, std::move(stop)));
  if (!document) return fail(gone());
  const auto epoch = document.view().find("epoch");
  if (!epoch || epoch->integer() != static_cast<int64_t>(lease_.epoch))
    return fenced("another owner has taken it");
  return {};
}

Result<std::optional<StoredPosition>> LeasedPositionStore::peek(const std::string& pipeline,
                                                                std::stop_token stop) {
  TIDEMARK_ASSIGN(const bson::Document document, find(pipeline, std::move(stop)));
  if (!document) return std::nullopt;
  auto stored = read_position(document);
  if (!stored) return corrupt(stored.error().what);
  return stored;
}

Status LeasedPositionStore::erase(std::stop_token stop) {
  TIDEMARK_CHECK(held_ || released_, "a position was erased without a lease");
  if (!held_) return fenced("the lease was given back");
  // The document stays, without a position, because the epoch must go on rising.
  TIDEMARK_TRY(change([&](const LeaseClock&) { return erase_command(lease_); }, std::move(stop)));
  damaged_ = false;
  return {};
}

void LeasedPositionStore::release() {
  if (!held_) return;
  held_ = false;
  damaged_ = false;
  released_ = true;
  // Best effort: a lease that can't be given back ends by itself.
  client_->abort_transaction();
  if (auto given = client_->write(database_, release_command(lease_), {}); !given)
    log::debug("{}: the lease was not given back: {}", lease_.pipeline, given.error().what);
}

std::string LeasedPositionStore::describe() const {
  return "mongodb " + client_->redacted_uri() + " " + database_ + "." + lease_.collection;
}

Result<bson::Document> LeasedPositionStore::find(const std::string& pipeline, std::stop_token stop) {
  TIDEMARK_ASSIGN(const bson::Document reply,
                  client_->read(database_, find_command(lease_.collection, pipeline), std::move(stop)));
  const auto first = reply.view().find_path("cursor.firstBatch.0");
  return first && first->is_document() ? bson::Document(first->document()) : bson::Document();
}

tl::unexpected<Error> LeasedPositionStore::held_by_another(const std::string& why) const {
  return fail(React::kFenced,
              describe() + ": another instance holds the lease of pipeline " + lease_.pipeline + ", " + why,
              "only one process may run a pipeline");
}

Error LeasedPositionStore::gone() const {
  return {React::kConfig,
          describe() + ": the position of " + lease_.pipeline +
              " is gone: somebody removed its document or dropped the collection while the pipeline ran",
          "restore it from a backup that is not newer than the destination, or choose a start before the "
          "last events that "
          "arrived there: tidemark position set"};
}

tl::unexpected<Error> LeasedPositionStore::fenced(const std::string& why) const {
  return fail(React::kFenced,
              describe() + ": the position of " + lease_.pipeline + " is no longer this process's: " + why,
              "only one process may run a pipeline");
}

tl::unexpected<Error> LeasedPositionStore::corrupt(const std::string& why) const {
  return fail(React::kCorrupt, describe() + ": the position of " + lease_.pipeline + " is damaged: " + why,
              "restore the document from a backup; or look at `tidemark position show`, then choose a new "
              "start with `tidemark position reset` and `tidemark position init`");
}

}  // namespace tidemark::mongo
