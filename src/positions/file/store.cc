#include <utility>

#include "base/check.h"
#include "config/fields.h"
#include "positions/file/component.h"

namespace tidemark {
namespace {

// A position is a few hundred bytes; a larger file is not one.
constexpr uint64_t kFileBytesMax = 1 << 20;

class FilePositionStore final : public PositionStore {
 public:
  FilePositionStore(std::string path, std::string pipeline, FileSystem& files, Clock& clock)
      : path_(std::move(path)), pipeline_(std::move(pipeline)), files_(files), clock_(clock) {}

  Result<std::optional<StoredPosition>> acquire(const PositionContext& context, std::stop_token) override {
    release();
    TIDEMARK_ASSIGN(auto lock, files_.lock(path_ + ".lock"));
    auto stored = read();
    if (!stored && stored.error().react != React::kCorrupt) return fail(std::move(stored).error());
    context_ = context;
    lock_ = std::move(lock);
    if (!stored) {
      // The lease stays with this owner, so that the operator's reset can erase what nobody can read. No
      // count of owners reaches the clock's milliseconds, so this epoch is new for certain.
      damaged_ = true;
      epoch_ = static_cast<uint64_t>(clock_.wall_ms());
      return fail(std::move(stored).error());
    }
    // Written at once and not with the first save: an owner that lost its lease must find out from now on.
    StoredPosition entry = *stored ? **stored : StoredPosition{};
    entry.epoch += 1;
    if (Status raised = files_.replace_file(path_, entry.encode()); !raised) {
      lock_.reset();
      return fail(std::move(raised).error());
    }
    epoch_ = entry.epoch;
    if (entry.position.empty()) return std::nullopt;
    return entry;
  }

  Status save(const DurablePosition& position, std::stop_token) override {
    TIDEMARK_CHECK(lock_ != nullptr || released_, "a position was saved without a lease");
    if (damaged_) return fail(corrupt("it could not be read"));
    TIDEMARK_TRY(check_owner());
    StoredPosition entry;
    entry.position = position.get();
    entry.saved_at_ms = clock_.wall_ms();
    entry.fingerprint = context_.fingerprint;
    entry.deployment = context_.deployment;
    entry.epoch = epoch_;
    return files_.replace_file(path_, entry.encode());
  }

  Result<std::optional<StoredPosition>> peek(const std::string&, std::stop_token) override {
    TIDEMARK_ASSIGN(auto stored, read());
    if (stored && stored->position.empty()) return std::nullopt;
    return stored;
  }

  Status erase(std::stop_token) override {
    TIDEMARK_CHECK(lock_ != nullptr || released_, "a position was erased without a lease");
    if (!damaged_) TIDEMARK_TRY(check_owner());
    // The file stays, without a position, because the epoch must go on rising.
    StoredPosition entry;
    entry.epoch = epoch_;
    TIDEMARK_TRY(files_.replace_file(path_, entry.encode()));
    damaged_ = false;
    return {};
  }

  void release() override {
    lock_.reset();
    damaged_ = false;
    released_ = true;
  }

  std::string describe() const override { return "file " + path_; }

 private:
  // Empty when there is no file at all.
  Result<std::optional<StoredPosition>> read() {
    TIDEMARK_ASSIGN(const bool exists, files_.exists(path_));
    if (!exists) return std::nullopt;
    TIDEMARK_ASSIGN(const uint64_t size, files_.file_size(path_));
    if (size > kFileBytesMax)
      return fail(corrupt(std::to_string(size) + " bytes are more than a position has"));
    TIDEMARK_ASSIGN(const std::string bytes, files_.read_file(path_, kFileBytesMax));
    auto stored = StoredPosition::decode(bytes);
    if (!stored) return fail(corrupt(stored.error().what));
    return std::move(*stored);
  }

  Error corrupt(const std::string& why) const {
    return {React::kCorrupt, "the position file " + path_ + " is damaged: " + why,
            "restore the file from a backup; or look at `tidemark position show`, then choose a new start "
            "with `tidemark position reset FILE " +
                pipeline_ + "` and `tidemark position init FILE " + pipeline_ + " --from ...`"};
  }

  Status check_owner() {
    if (lock_ == nullptr) return fenced("the lease was given back");
    TIDEMARK_ASSIGN(const auto stored, read());
    if (!stored) {
      // With its folder, as when a disk is unmounted, it will come back.
      const size_t slash = path_.rfind('/');
      TIDEMARK_TRY(files_.list(slash == std::string::npos ? "." : path_.substr(0, slash + 1)));
      return fenced("the file is gone");
    }
    if (stored->epoch != epoch_) return fenced("another owner has taken it");
    return {};
  }

  tl::unexpected<Error> fenced(const std::string& why) const {
    return fail(React::kFenced, "the position file " + path_ + " is no longer this process's: " + why,
                "only one process may run a pipeline, and nobody may touch its position file meanwhile");
  }

  const std::string path_;
  const std::string pipeline_;
  FileSystem& files_;
  Clock& clock_;
  PositionContext context_;
  std::unique_ptr<FileLock> lock_;
  uint64_t epoch_ = 0;
  bool damaged_ = false;   // the file can't be read: only erase() is allowed
  bool released_ = false;  // a lease was given back: a late save is refused, not a programmer's error
};

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "position";
  spec.type = "file";
  spec.summary =
      "Keeps the position in a file, replaced atomically and synced with its folder at every save. "
      "`PATH.lock` beside it keeps a second process out. The file system must be local: network file systems "
      "break the promises of locks and syncs.";
  spec.fields = {required(text("path",
                               "The file, one for each pipeline; its folder must exist. A relative path "
                               "starts at the working directory."),
                          "\"orders.position\"")};
  return spec;
}

Result<std::unique_ptr<PositionStore>> make(const config::Settings& settings,
                                            const ComponentContext& context) {
  return std::make_unique<FilePositionStore>(settings.string("path"), context.pipeline, *context.files,
                                             *context.clock);
}

}  // namespace

const PositionComponent& file_position_component() {
  static const PositionComponent component{.spec = make_spec(), .make = make};
  return component;
}

}  // namespace tidemark
