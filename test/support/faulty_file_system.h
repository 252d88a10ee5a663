// A file system that fails: a decorator over a real one that makes operation N fail, tears writes, and on a
// crash forgets what was not synced. Everything it does follows from its seed and the calls made.
// Thread-safe.
//
// Every call that reaches the disk is one operation, counted from 0; reads count too. A failing write leaves
// a random part of its bytes; a failing sync, truncate, rename, remove or replace has happened or not, as the
// seed decides: that is what an error means to a caller who can't know.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "env/file_system.h"
#include "env/random.h"

namespace tidemark::testing {

class FaultyFileSystem final : public FileSystem {
 public:
  // `base` outlives this.
  FaultyFileSystem(FileSystem& base, uint64_t seed) : base_(base), random_(seed) {}

  // Operation `n` from now fails, once.
  void fail_operation(uint64_t n) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    fail_at_ = operations_ + n;
    hit_ = false;
  }
  // Operation `n` from now and every later one fails, until heal().
  void fail_from(uint64_t n) EXCLUDES(mutex_) {
    fail_operation(n);
    MutexLock lock(mutex_);
    for_ever_ = true;
  }
  void heal() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    fail_at_.reset();
    for_ever_ = false;
  }
  bool fault_was_hit() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return hit_;
  }
  uint64_t operations() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return operations_;
  }
  // The error that the next faults return; a full disk unless told.
  void set_error(Error error) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    error_ = std::move(error);
  }

  // Power loss: of each appended file, a random part of what was not synced stays. Files still open are dead:
  // each of their calls fails from now on.
  void crash() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    ++life_;
    fail_at_.reset();
    for_ever_ = false;
    for (auto& [path, durable] : durable_) {
      auto file = base_.open_append(path);
      if (!file) continue;
      const uint64_t size = (*file)->size();
      if (size > durable) {
        const uint64_t kept = durable + random_.below(size - durable + 1);
        if ((*file)->truncate(kept)) durable = kept;
      } else {
        durable = size;
      }
    }
  }

  Result<std::string> read_file(const std::string& path, uint64_t bytes_max) override {
    if (auto fault = next()) return fail(fault->first);
    return base_.read_file(path, bytes_max);
  }
  Result<bool> exists(const std::string& path) override {
    if (auto fault = next()) return fail(fault->first);
    return base_.exists(path);
  }
  Result<std::string> read_range(const std::string& path, uint64_t offset, uint64_t bytes_max) override {
    if (auto fault = next()) return fail(fault->first);
    return base_.read_range(path, offset, bytes_max);
  }
  Result<uint64_t> file_size(const std::string& path) override {
    if (auto fault = next()) return fail(fault->first);
    return base_.file_size(path);
  }
  Status replace_file(const std::string& path, std::string_view content) override {
    return half([&] { return base_.replace_file(path, content); });
  }
  Status rename(const std::string& from, const std::string& to) override {
    return half([&] {
      Status status = base_.rename(from, to);
      if (status) moved(from, to);
      return status;
    });
  }
  Status remove(const std::string& path) override {
    return half([&] { return base_.remove(path); });
  }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    if (auto fault = next()) return fail(fault->first);
    return base_.list(folder);
  }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    if (auto fault = next()) return fail(fault->first);
    return base_.lock(path);
  }
  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override {
    if (auto fault = next()) return fail(fault->first);
    auto file = base_.open_append(path);
    if (!file) return fail(file.error());
    MutexLock lock(mutex_);
    // What stood there before the first open is taken as durable.
    durable_.try_emplace(path, (*file)->size());
    return std::unique_ptr<AppendFile>(std::make_unique<File>(*this, path, std::move(*file), life_));
  }

 private:
  class File final : public AppendFile {
   public:
    File(FaultyFileSystem& owner, std::string path, std::unique_ptr<AppendFile> base, uint64_t life)
        : owner_(owner), path_(std::move(path)), base_(std::move(base)), life_(life) {}

    Status append(std::string_view bytes) override {
      TIDEMARK_TRY(owner_.alive(life_));
      if (auto fault = owner_.next()) {
        TIDEMARK_TRY(base_->append(bytes.substr(0, fault->second % (bytes.size() + 1))));
        return fail(fault->first);
      }
      return base_->append(bytes);
    }
    Status sync() override {
      TIDEMARK_TRY(owner_.alive(life_));
      return owner_.half([&] {
        owner_.synced(path_, base_->size());
        return Status();
      });
    }
    uint64_t size() const override { return base_->size(); }
    Status truncate(uint64_t size) override {
      TIDEMARK_TRY(owner_.alive(life_));
      return owner_.half([&] { return base_->truncate(size); });
    }
    Result<Look> look() const override {
      TIDEMARK_TRY(owner_.alive(life_));
      if (auto fault = owner_.next()) return fail(fault->first);
      return base_->look();
    }

   private:
    FaultyFileSystem& owner_;
    const std::string path_;
    const std::unique_ptr<AppendFile> base_;
    const uint64_t life_;
  };

  // Counts one operation; a value when it must fail: the error, and a random number for the damage.
  std::optional<std::pair<Error, uint64_t>> next() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const uint64_t n = operations_++;
    if (!fail_at_ || n < *fail_at_ || (n > *fail_at_ && !for_ever_)) return std::nullopt;
    hit_ = true;
    return std::pair(error_, random_.next_u64());
  }

  // `act`, or a failure after which it has happened or not.
  template <class Act>
  Status half(Act act) {
    if (auto fault = next()) {
      if (fault->second % 2 == 0) TIDEMARK_TRY(act());
      return fail(fault->first);
    }
    return act();
  }

  Status alive(uint64_t life) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (life == life_) return {};
    return fail(React::kFatal, "the file was opened before the crash");
  }
  void synced(const std::string& path, uint64_t size) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    durable_[path] = size;
  }
  void moved(const std::string& from, const std::string& to) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    auto node = durable_.extract(from);
    if (node.empty()) return;
    durable_.erase(to);
    node.key() = to;
    durable_.insert(std::move(node));
  }

  FileSystem& base_;
  mutable Mutex mutex_;
  SeededRandom random_ GUARDED_BY(mutex_);
  uint64_t operations_ GUARDED_BY(mutex_) = 0;
  std::optional<uint64_t> fail_at_ GUARDED_BY(mutex_);
  bool for_ever_ GUARDED_BY(mutex_) = false;
  bool hit_ GUARDED_BY(mutex_) = false;
  uint64_t life_ GUARDED_BY(mutex_) = 0;
  Error error_ GUARDED_BY(mutex_) = {React::kRetry, "injected: no space left on device"};
  std::map<std::string, uint64_t> durable_ GUARDED_BY(mutex_);  // path -> bytes that survive a crash
};

}  // namespace tidemark::testing
