#include "sinks/file/tail.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

namespace tidemark {
namespace {

// One line holds at most one event; an event of 16 MiB as canonical Extended JSON inside a JSON string stays
// below this.
constexpr uint64_t kLineBytesMax = 256 << 20;
constexpr uint64_t kChunk = 64 << 10;

bool is_json_object(std::string_view line) {
  return line.starts_with('{') && line.ends_with('}') && nlohmann::json::accept(line);
}

// The place after the last line end before `end`, 0 when there is none.
Result<uint64_t> line_start_before(FileSystem& files, const std::string& path, uint64_t end) {
  uint64_t at = end;
  while (at > 0) {
    const uint64_t from = at > kChunk ? at - kChunk : 0;
    TIDEMARK_ASSIGN(const std::string chunk, files.read_range(path, from, at - from));
    if (const size_t found = chunk.rfind('\n'); found != std::string::npos) return from + found + 1;
    at = from;
    if (end - at > kLineBytesMax)
      return fail(React::kCorrupt,
                  path + " has no line end in its last " + std::to_string(end - at) + " bytes",
                  "look at the file, and move it away before the next start");
  }
  return 0;
}

// The first line tells a file of ours from anybody else's. Empty: it has no line end yet.
Result<std::optional<std::string>> first_line(FileSystem& files, const std::string& path) {
  std::string line;
  while (line.size() <= kLineBytesMax) {
    TIDEMARK_ASSIGN(const std::string chunk, files.read_range(path, line.size(), kChunk));
    if (chunk.empty()) return std::nullopt;
    if (const size_t found = chunk.find('\n'); found != std::string::npos) {
      line.append(chunk, 0, found);
      return line;
    }
    line += chunk;
  }
  return std::nullopt;
}

// Every line of every format begins with one of these; a torn one with the beginning of one. The server puts some fields in
// front of an event's `_id`: those of its transaction, the target of a rename, the description of an expanded event.
bool begins_like_ours(std::string_view beginning) {
  for (const std::string_view ours : {"{\"_id\"", "{\"txnNumber\"", "{\"lsid\"", "{\"to\":{\"db\"",
                                      "{\"operationDes", "{\"key\"", "{\"specversion\""}) {
    const size_t common = std::min(beginning.size(), ours.size());
    if (beginning.substr(0, common) == ours.substr(0, common)) return true;
  }
  return false;
}

tl::unexpected<Error> not_ours(const std::string& path) {
  return fail(React::kConfig, path + " exists and is not a file of JSON lines",
              "choose another path, or move the file away; it was not changed");
}

}  // namespace

Result<uint64_t> intact_size(FileSystem& files, const std::string& path) {
  TIDEMARK_ASSIGN(const uint64_t size, files.file_size(path));
  if (size == 0) return 0;
  // Looked at first, so that a large file of something else isn't read in search of its first line end.
  TIDEMARK_ASSIGN(const std::string beginning, files.read_range(path, 0, 16));
  if (!begins_like_ours(beginning)) return not_ours(path);
  TIDEMARK_ASSIGN(const auto first, first_line(files, path));
  if (!first) return 0;  // the torn beginning of the very first write
  if (!is_json_object(*first)) return not_ours(path);

  // From the end back to the first line that is whole; the first line of all is, so this ends.
  TIDEMARK_ASSIGN(uint64_t end, line_start_before(files, path, size));
  while (true) {
    TIDEMARK_ASSIGN(const uint64_t start, line_start_before(files, path, end - 1));
    TIDEMARK_ASSIGN(const std::string line, files.read_range(path, start, end - 1 - start));
    if (is_json_object(line)) return end;
    if (size - start > kLineBytesMax)
      return fail(React::kCorrupt, path + " is damaged in more than its last lines",
                  "look at the file, and move it away before the next start");
    end = start;
  }
}

}  // namespace tidemark
