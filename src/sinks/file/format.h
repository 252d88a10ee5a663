// One change event as one line of JSON, in the shape that the reader of the file knows. Used by one thread.
#pragma once

#include <string>
#include <string_view>

#include "core/event.h"
#include "env/clock.h"

namespace tidemark {

enum class FileFormat {
  kExtJson,      // the change event as the server sent it, canonical Extended JSON
  kDebezium,     // the envelope of Debezium's MongoDB connector
  kCloudEvents,  // CloudEvents 1.0, structured
};

class LineFormatter {
 public:
  LineFormatter(FileFormat format, std::string pipeline, const Clock& clock);

  // Appends the line of `event` with its line end.
  void append(const Event& event, std::string& out);

 private:
  void append_debezium(const Event& event, std::string& out);
  void append_debezium_update(bson::View update, std::string& out);
  void append_debezium_source(const Event& event, std::string& out);
  void append_cloud_event(const Event& event, std::string& out);
  // `document` as JSON inside a JSON string; null for no document.
  void append_quoted_document(bson::View document, std::string& out);

  const FileFormat format_;
  const std::string pipeline_;
  const Clock& clock_;
  std::string scratch_;  // keeps its memory from event to event
};

// "2024-05-01T12:30:00.250Z"; empty outside the years 0 to 9999, which RFC 3339 can't write.
std::string rfc3339(int64_t ms_since_epoch);

}  // namespace tidemark
