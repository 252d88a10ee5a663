#include "sim/disk.h"

#include <utility>

namespace tidemark::sim {

class Disk::Lock final : public FileLock {
 public:
  explicit Lock(std::shared_ptr<Inode> inode) : inode_(std::move(inode)) { inode_->locked = true; }
  ~Lock() override { inode_->locked = false; }

 private:
  const std::shared_ptr<Inode> inode_;
};

void Disk::fail_operation(uint64_t n, Damage damage) {
  fail_at_ = operations_ + n;
  damage_ = damage;
}

template <class Call>
Status Disk::call(const char* doing, const std::string& path, Call act) {
  if (dead_) return fail(React::kFatal, "the machine is off");
  const uint64_t n = operations_++;
  if (!fail_at_ || n != *fail_at_) {
    act();
    return {};
  }
  hit_ = true;
  fail_at_.reset();
  if (random_.below(2) == 0) act();
  if (damage_ == Damage::kPowerLost) {
    lose_power();
    dead_ = true;
  }
  const React react = damage_ == Damage::kRetry ? React::kRetry : React::kFatal;
  return fail(react, std::string("injected: can't ") + doing + " " + path);
}

// A folder's changes reach the disk in order, a file's bytes in any.
void Disk::lose_power() {
  ++generation_;
  size_t kept = random_.below(pending_.size() + 1);
  for (auto& [name, inode] : pending_) {
    if (kept-- == 0) break;
    if (inode)
      durable_[name] = inode;
    else
      durable_.erase(name);
  }
  pending_.clear();
  for (auto& [name, inode] : durable_) {
    if (inode->cached == inode->durable) continue;
    switch (random_.below(4)) {
      case 0:
        break;
      case 1:
        inode->durable = inode->cached;
        break;
      case 2:
        inode->durable = inode->cached.substr(0, random_.below(inode->cached.size() + 1));
        break;
      default:  // the size reached the disk, the bytes did not
        inode->durable = std::string(inode->cached.size(), '\0');
    }
    inode->cached = inode->durable;
  }
  cached_ = durable_;
}

std::optional<std::string> Disk::content(const std::string& path) const {
  const auto it = cached_.find(path);
  if (it == cached_.end()) return std::nullopt;
  return it->second->cached;
}

void Disk::put(const std::string& path, std::optional<std::string> content) {
  ++generation_;
  if (content) {
    auto inode = std::make_shared<Inode>();
    inode->cached = inode->durable = std::move(*content);
    change(path, std::move(inode));
  } else {
    change(path, nullptr);
  }
  sync_folder();
}

void Disk::change(const std::string& name, std::shared_ptr<Inode> inode) {
  if (inode)
    cached_[name] = inode;
  else
    cached_.erase(name);
  pending_.emplace_back(name, std::move(inode));
}

void Disk::write_part(Inode& file, std::string_view content) {
  file.cached.assign(content.substr(0, random_.below(content.size() + 1)));
}

Result<std::string> Disk::read_file(const std::string& path, uint64_t bytes_max) {
  TIDEMARK_TRY(call("read", path, [] {}));
  auto found = content(path);
  if (!found) return fail(React::kConfig, "no file " + path);
  if (found->size() > bytes_max) return fail(React::kFatal, path + " is too large");
  return std::move(*found);
}

Result<bool> Disk::exists(const std::string& path) {
  TIDEMARK_TRY(call("look at", path, [] {}));
  return cached_.contains(path);
}

Status Disk::replace_file(const std::string& path, std::string_view content) {
  ++generation_;
  const std::string temporary = path + ".tmp";
  std::shared_ptr<Inode> file;
  TIDEMARK_TRY(call("create", temporary, [&] {
    file = std::make_shared<Inode>();
    change(temporary, file);
  }));
  const auto give_up = [&](Status failed) {
    if (!dead_) change(temporary, nullptr);
    return failed;
  };
  write_part(*file, content);
  if (Status written = call("write to", temporary, [&] { file->cached.assign(content); }); !written)
    return give_up(std::move(written));
  if (Status synced = call("sync", temporary,
                           [&] {
                             if (lie_ != Lie::kSyncFile) sync_file(*file);
                           });
      !synced)
    return give_up(std::move(synced));
  if (Status renamed = call("replace", path,
                            [&] {
                              change(path, file);
                              change(temporary, nullptr);
                            });
      !renamed)
    return give_up(std::move(renamed));
  return call("sync the folder of", path, [&] {
    if (lie_ != Lie::kSyncFolder) sync_folder();
  });
}

Result<std::unique_ptr<AppendFile>> Disk::open_append(const std::string& path) {
  return fail(React::kFatal, "no store of positions appends to " + path);
}

Status Disk::rename(const std::string& from, const std::string& to) {
  ++generation_;
  TIDEMARK_TRY(call("rename", from, [&] {
    const auto it = cached_.find(from);
    if (it == cached_.end()) return;
    const std::shared_ptr<Inode> inode = it->second;
    change(to, inode);
    change(from, nullptr);
  }));
  return call("sync the folder of", to, [&] { sync_folder(); });
}

Status Disk::remove(const std::string& path) {
  ++generation_;
  TIDEMARK_TRY(call("remove", path, [&] { change(path, nullptr); }));
  return call("sync the folder of", path, [&] { sync_folder(); });
}

Result<std::vector<std::string>> Disk::list(const std::string&) {
  TIDEMARK_TRY(call("list", "the folder", [] {}));
  std::vector<std::string> names;
  for (const auto& [name, inode] : cached_) names.push_back(name);
  return names;
}

Result<std::unique_ptr<FileLock>> Disk::lock(const std::string& path) {
  TIDEMARK_TRY(call("open the lock file", path, [] {}));
  std::shared_ptr<Inode>& inode = cached_[path];
  if (!inode) inode = std::make_shared<Inode>();
  if (inode->locked) return fail(React::kFenced, path + " is locked by another owner");
  return std::make_unique<Lock>(inode);
}

}  // namespace tidemark::sim
