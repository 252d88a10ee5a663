#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/log.h"
#include "config/fields.h"
#include "sinks/file/component.h"
#include "sinks/file/format.h"
#include "sinks/file/tail.h"

namespace tidemark {
namespace {

FileFormat format_from(const std::string& name) {
  if (name == "debezium") return FileFormat::kDebezium;
  if (name == "cloudevents") return FileFormat::kCloudEvents;
  return FileFormat::kExtJson;
}

class FileSink final : public Sink {
 public:
  FileSink(std::string path, FileFormat format, uint64_t rotate_bytes, const ComponentContext& context)
      : path_(std::move(path)),
        pipeline_(context.pipeline),
        rotate_bytes_(rotate_bytes),
        files_(*context.files),
        formatter_(format, context.pipeline, *context.clock) {}

  Status open(std::stop_token) override {
    Status opened = open_file();
    // A folder that was there when this process began is a disk that was unmounted, or a hand that will undo it.
    if (!opened && opened_before_ &&
        (opened.error().react == React::kConfig || opened.error().react == React::kDenied))
      opened.error().react = React::kRetry;
    opened_before_ = opened_before_ || opened;
    return opened;
  }

  WriteResult write(std::span<const Event> events, std::stop_token stop) override {
    if (events.empty()) return {};
    if (!file_) {
      if (Status opened = open(stop); !opened) return write_failed(std::move(opened).error());
    }
    buffer_.clear();
    for (const Event& event : events) formatter_.append(event, buffer_);
    if (durable_size_ > 0 && durable_size_ + buffer_.size() > rotate_bytes_) {
      if (Status rotated = rotate(); !rotated) {
        file_.reset();
        return write_failed(std::move(rotated).error());
      }
    }
    for (int tries = 1;; ++tries) {
      auto kept = write_buffer(stop);
      if (!kept) return write_failed(std::move(kept).error());
      if (*kept) return {};
      if (tries == kWritesMax) {
        file_.reset();
        return write_failed(
            Error{React::kRetry, path_ + " was moved, removed or cut short at every write",
                  "something else works on this file: leave it alone, or choose another path"});
      }
      if (Status opened = open(stop); !opened) return write_failed(std::move(opened).error());
    }
  }

  void close() override {
    file_.reset();
    suspect_.reset();
    lock_.reset();
  }

 private:
  static constexpr int kWritesMax = 3;  // of one batch, into files that were then no longer there

  Status open_file() {
    file_.reset();
    if (!lock_) {
      // Cutting a torn tail under another writer would destroy what it wrote.
      TIDEMARK_ASSIGN(lock_, files_.lock(path_ + ".lock"));
    }
    TIDEMARK_TRY(find_last_rotated());
    TIDEMARK_ASSIGN(auto file, files_.open_append(path_));
    TIDEMARK_ASSIGN(uint64_t intact, intact_size(files_, path_));
    if (suspect_) {
      TIDEMARK_ASSIGN(const AppendFile::Look failed, suspect_->file->look());
      TIDEMARK_ASSIGN(const AppendFile::Look found, file->look());
      // Another file may stand there by now, and nothing in it is doubtful.
      if (failed.same_file(found)) intact = std::min(intact, suspect_->durable_size);
    }
    if (intact < file->size()) {
      log::warn("{}: {}: cut {} bytes that a write left unfinished, at byte {}", pipeline_, path_,
                file->size() - intact, intact);
      TIDEMARK_TRY(file->truncate(intact));
    }
    // What stands there now is what later failures fall back to, so it must be durable itself.
    TIDEMARK_TRY(file->sync());
    suspect_.reset();
    durable_size_ = intact;
    file_ = std::move(file);
    return {};
  }

  // Appends and syncs the buffer, and looks whether the path leads to what was written. False: it doesn't, so the buffer
  // must be written again into what stands there now.
  Result<bool> write_buffer(std::stop_token stop) {
    Status status = file_->append(buffer_);
    if (status) status = file_->sync();
    if (!status) {
      settle(std::move(stop));
      return fail(std::move(status).error());
    }
    auto look = file_->look();
    if (!look) {
      settle(std::move(stop));
      return fail(std::move(look).error());
    }
    const uint64_t expected = durable_size_ + buffer_.size();
    if (!look->named) {
      log::warn(
          "{}: {} was moved or removed while it was open: opening it again, and writing the last {} bytes "
          "once more",
          pipeline_, path_, buffer_.size());
      return false;
    }
    if (look->size < expected) {
      log::warn("{}: {} was cut short by something else, from {} bytes to {}: writing the last {} once more",
                pipeline_, path_, expected, look->size, buffer_.size());
      return false;
    }
    durable_size_ = look->size;
    return true;
  }

  // After a failed append or sync nobody knows which of its bytes the disk holds, and the page cache can't be
  // asked: a failed sync may have dropped them while reads still show them. So none counts, and the file is
  // cut back to what was durable before. When that fails too, the next open does it.
  void settle(std::stop_token stop) {
    suspect_ = Suspect{std::move(file_), durable_size_};
    if (Status opened = open(std::move(stop)); !opened)
      log::warn("{}: {}: not usable after a failed write: {}", pipeline_, path_, opened.error().describe());
  }

  // "orders.jsonl" becomes "orders.jsonl.000007" and begins anew.
  Status rotate() {
    char suffix[32];
    std::snprintf(suffix, sizeof suffix, ".%06llu", static_cast<unsigned long long>(last_rotated_ + 1));
    TIDEMARK_ASSIGN(const AppendFile::Look look, file_->look());
    // Moved away by somebody else: there is nothing of ours under the name to be moved.
    if (!look.named) return open_file();
    file_.reset();
    TIDEMARK_TRY(files_.rename(path_, path_ + suffix));
    ++last_rotated_;
    TIDEMARK_ASSIGN(file_, files_.open_append(path_));
    durable_size_ = 0;
    return {};
  }

  Status find_last_rotated() {
    const size_t slash = path_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const std::string prefix = (slash == std::string::npos ? path_ : path_.substr(slash + 1)) + ".";
    TIDEMARK_ASSIGN(const std::vector<std::string> names, files_.list(folder));
    last_rotated_ = 0;
    for (const std::string& name : names) {
      if (!name.starts_with(prefix)) continue;
      const std::string_view digits = std::string_view(name).substr(prefix.size());
      const bool number = digits.size() >= 6 && digits.size() <= 18 &&
                          digits.find_first_not_of("0123456789") == std::string_view::npos;
      if (number) last_rotated_ = std::max<uint64_t>(last_rotated_, std::stoull(std::string(digits)));
    }
    return {};
  }

  const std::string path_;
  const std::string pipeline_;
  const uint64_t rotate_bytes_;
  FileSystem& files_;
  LineFormatter formatter_;
  std::unique_ptr<FileLock> lock_;
  // A write failed, and the file was not yet cut back to what was durable before. Kept open, so that its inode stays its.
  struct Suspect {
    std::unique_ptr<AppendFile> file;
    uint64_t durable_size = 0;
  };

  std::unique_ptr<AppendFile> file_;  // null: open() comes first
  uint64_t durable_size_ = 0;         // of file_
  std::optional<Suspect> suspect_;
  bool opened_before_ = false;
  uint64_t last_rotated_ = 0;  // the highest number of a rotated file
  std::string buffer_;         // keeps its memory from batch to batch
};

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "sink";
  spec.type = "file";
  spec.summary =
      "Appends every change event to a file of JSON Lines, synced before it counts. At least once: after a "
      "crash the last events may stand there twice, recognisable by their resume token (`_id._data`, `id` or "
      "`source.resume_token`, by format). One lane. Needs a `[pipeline.position]`. `PATH.lock` beside the "
      "file keeps a second writer out. A file that is moved (logrotate), removed or cut short while it is "
      "open is noticed at the next write: it is opened again, and that write is done again.";
  spec.fields = {
      required(
          text("path",
               "The file; its folder must exist. A torn last line, left by a crash, is cut at the start."),
          "\"orders.jsonl\""),
      choice("format", {"extjson", "debezium", "cloudevents"},
             "`extjson`: the change event itself in canonical Extended JSON, nothing lost. `debezium`: the "
             "envelope of Debezium's MongoDB connector (`before` and `after` as JSON strings), with the "
             "document's key added. `cloudevents`: CloudEvents 1.0, structured, the change event as `data`."),
      bytes("rotate_bytes", "256MiB", 4096, int64_t{1} << 40,
            "A file that would grow beyond this is renamed to `PATH.000001`, `PATH.000002` and so on, and a "
            "new one begun. A batch is never divided between two files.")};
  return spec;
}

Result<std::unique_ptr<Sink>> make(const config::Settings& settings, const ComponentContext& context) {
  if (context.lane_count > 1) {
    return fail(settings.error("type",
                               "the file sink has one lane, not " + std::to_string(context.lane_count),
                               "set lanes = 1 in [[pipeline]]: several writers would mix their lines"));
  }
  return std::make_unique<FileSink>(settings.string("path"), format_from(settings.string("format")),
                                    static_cast<uint64_t>(settings.bytes("rotate_bytes")), context);
}

}  // namespace

const SinkComponent& file_sink_component() {
  static const SinkComponent component{.spec = make_spec(), .plain = make};
  return component;
}

}  // namespace tidemark
