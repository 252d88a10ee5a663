// The machine's files, with the durability that env/file_system.h promises: every call that says "durable on
// return" has synced the file and, where a name changed, its folder. Stateless; any thread.
#pragma once

#include "env/file_system.h"

namespace tidemark {

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::string> read_file(const std::string& path, uint64_t bytes_max) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::string> read_range(const std::string& path, uint64_t offset, uint64_t bytes_max) override;
  Result<uint64_t> file_size(const std::string& path) override;
  Status replace_file(const std::string& path, std::string_view content) override;
  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
};

}  // namespace tidemark
