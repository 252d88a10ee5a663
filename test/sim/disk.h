// A disk in memory that keeps only its promises: what was not synced may be lost, kept or torn when the power goes, and
// any single operation can fail or be the last one. replace_file() is made of the same system calls as PosixFileSystem's.
// One thread.
//
// Every system call is one operation, counted from 0. A call that fails may have happened or not: that is what an error
// means to a caller who can't know.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "env/file_system.h"
#include "env/random.h"

namespace tidemark::sim {

class Disk final : public FileSystem {
 public:
  enum class Damage { kRetry, kFatal, kPowerLost };

  explicit Disk(uint64_t seed) : random_(seed) {}

  // Operation `n` from now goes wrong, once. After kPowerLost every operation fails until restart().
  void fail_operation(uint64_t n, Damage damage);
  // No fault is due any more.
  void heal() { fail_at_.reset(); }
  bool is_due() const { return fail_at_.has_value(); }
  // Whether a fault was hit since the last time of asking.
  bool take_hit() { return std::exchange(hit_, false); }
  uint64_t operations() const { return operations_; }
  bool is_dead() const { return dead_; }

  // The machine stops: what was not synced is lost, kept or torn.
  void lose_power();
  // It runs again. Locks are gone with their processes.
  void restart() { dead_ = false; }

  // A disk that lies: the system call of this name does nothing and says that it did. For the proof that a missing sync
  // is noticed.
  enum class Lie { kNone, kSyncFile, kSyncFolder };
  void set_lie(Lie lie) { lie_ = lie; }

  // --- what stands there, without an operation
  std::optional<std::string> content(const std::string& path) const;
  // Puts `content` there, synced, as an operator's copy does; empty removes the file.
  void put(const std::string& path, std::optional<std::string> content);
  // Rises whenever any content may have changed.
  uint64_t generation() const { return generation_; }

  Result<std::string> read_file(const std::string& path, uint64_t bytes_max) override;
  Result<bool> exists(const std::string& path) override;
  Status replace_file(const std::string& path, std::string_view content) override;
  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

 private:
  struct Inode {
    std::string cached;
    std::string durable;
    bool locked = false;
  };
  using Entries = std::map<std::string, std::shared_ptr<Inode>>;
  class Lock;

  // Counts one system call and carries it out, or not.
  template <class Call>
  Status call(const char* doing, const std::string& path, Call act);
  void write_part(Inode& file, std::string_view content);
  void sync_file(Inode& file) { file.durable = file.cached; }
  void sync_folder() {
    durable_ = cached_;
    pending_.clear();
  }
  void change(const std::string& name, std::shared_ptr<Inode> inode);

  SeededRandom random_;
  Entries cached_;
  Entries durable_;
  // Changes of folder entries that no sync has made durable, in order; null = removed.
  std::vector<std::pair<std::string, std::shared_ptr<Inode>>> pending_;
  uint64_t operations_ = 0;
  uint64_t generation_ = 0;
  std::optional<uint64_t> fail_at_;
  Damage damage_ = Damage::kRetry;
  Lie lie_ = Lie::kNone;
  bool hit_ = false;
  bool dead_ = false;
};

}  // namespace tidemark::sim
