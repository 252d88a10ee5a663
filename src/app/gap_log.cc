#include "app/gap_log.h"

#include <nlohmann/json.hpp>

namespace tidemark::app {

std::string gap_log_path(const std::string& config_path) { return config_path + ".gaps.jsonl"; }

Status record_gap(FileSystem& files, const std::string& config_path, const Gap& gap) {
  const nlohmann::json line = {{"pipeline", gap.pipeline},
                               {"action", gap.action},
                               {"from", gap.from},
                               {"from_seconds", gap.from_seconds},
                               {"to", gap.to},
                               {"to_seconds", gap.to_seconds},
                               {"at_ms", gap.at_ms}};
  TIDEMARK_ASSIGN(auto file, files.open_append(gap_log_path(config_path)));
  TIDEMARK_TRY(file->append(line.dump() + "\n"));
  return file->sync();
}

Result<size_t> count_gaps(FileSystem& files, const std::string& config_path, const std::string& pipeline) {
  constexpr uint64_t kRecordBytesMax = 64 << 20;
  const std::string path = gap_log_path(config_path);
  TIDEMARK_ASSIGN(const bool exists, files.exists(path));
  if (!exists) return 0;
  TIDEMARK_ASSIGN(const std::string text, files.read_file(path, kRecordBytesMax));
  size_t count = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const auto line = nlohmann::json::parse(text.begin() + static_cast<ptrdiff_t>(begin),
                                            text.begin() + static_cast<ptrdiff_t>(end), nullptr, false);
    if (line.is_object() && line.value("pipeline", "") == pipeline) ++count;
    begin = end + 1;
  }
  return count;
}

}  // namespace tidemark::app
