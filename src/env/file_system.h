// The few file operations that durability is made of, as the program is given them. A test puts one in their
// place that forgets what was not synced, tears writes, or fails at operation N.
//
// Errors: kConfig for a missing folder or permission, kRetry else, because waiting may help (a full disk or quota, a disk
// that is being mended) and what isn't known is not taken for hopeless; `what` names the path and the system's own words.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark {

// A file open for appending. One thread at a time. Closed by its destructor, which promises nothing about the
// disk.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  // On an error an unknown part of `bytes` may stand at the end of the file.
  virtual Status append(std::string_view bytes) = 0;
  // Returns only once everything appended is on the disk (fdatasync).
  virtual Status sync() = 0;
  virtual uint64_t size() const = 0;
  // Cuts the file to `size` bytes, durably after the next sync().
  virtual Status truncate(uint64_t size) = 0;

  // The file as it is now, whoever else had a hand in it. A file that was removed or moved goes on taking writes and
  // syncs without a word, so "synced" alone doesn't say that anybody will find what was written.
  struct Look {
    bool named = false;  // the path it was opened by leads to this very file (device and inode, stat(2))
    uint64_t size = 0;
    uint64_t device = 0;  // with `inode`: which file it is, as long as it is open
    uint64_t inode = 0;

    bool same_file(const Look& other) const { return device == other.device && inode == other.inode; }
  };
  virtual Result<Look> look() const = 0;
};

// An exclusive lock on a file, held until destruction or the end of the process, however it ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // The whole file. `exists` tells an absent file (a value) from an unreadable one (an error).
  virtual Result<std::string> read_file(const std::string& path, uint64_t bytes_max) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;

  // The bytes from `offset` on, at most `bytes_max` of them; none past the end. The default reads the whole file.
  virtual Result<std::string> read_range(const std::string& path, uint64_t offset, uint64_t bytes_max) {
    TIDEMARK_ASSIGN(std::string content, read_file(path, UINT64_MAX));
    return offset < content.size() ? content.substr(offset, bytes_max) : std::string();
  }
  // The size of a file that exists.
  virtual Result<uint64_t> file_size(const std::string& path) {
    TIDEMARK_ASSIGN(const std::string content, read_file(path, UINT64_MAX));
    return content.size();
  }

  // Replaces `path` so that after any crash either the old or the new content is there, whole: writes a
  // temporary file beside it, syncs it, renames it over `path`, syncs the folder. Durable on return.
  virtual Status replace_file(const std::string& path, std::string_view content) = 0;

  // Opens `path` for appending and creates it when absent, the new folder entry durable on return.
  virtual Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) = 0;

  // Durable on return.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;

  // The names (not paths) of what stands in `folder`, in no order.
  virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;

  // Fails with kFenced when another process holds the lock; the message names its process id where the file
  // tells it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

}  // namespace tidemark
