// One CloudEvent in JSON, held against the specification on its way into BSON. One object, one thread, reused.
#pragma once

#include <string>
#include <string_view>

#include "bson/document.h"
#include "cloudevents/json_reader.h"
#include "cloudevents/parser.h"

namespace tidemark::cloudevents {

// Adds as long as there is room.
void add_problem(Problems& problems, std::string where, std::string what);

class EventReader {
 public:
  // `json` outlives this.
  EventReader(const Limits& limits, JsonReader& json) : limits_(limits), json_(json) {}

  // Reads one event; `place` is "" or its name in a batch. False = it isn't JSON as wanted, and reading can't go on.
  // What is wrong with attributes is added to `problems`, and reading goes on.
  bool read(ondemand::object object, const std::string& place, Problems& problems);
  // Reads a value that isn't kept, as strictly as any other. False = the reader's failure.
  bool skip(ondemand::value value);
  // Adds the reader's failure, or `error` as one; always false.
  bool report(const std::string& prefix, Problems& problems);
  bool report_syntax(simdjson::error_code error, Problems& problems);

  // Of the event read last; valid until the next.
  bson::View document() const { return event_.view(); }
  std::string_view identity() const { return identity_; }  // "SOURCE ID"

 private:
  // What was seen of one event while its members went by; the texts are the reader's.
  struct Seen {
    std::string_view id;
    std::string_view source;
    bool specversion = false;
    bool type = false;
    bool data = false;
    bool data_base64 = false;
    bool has_id = false;
    bool has_source = false;
  };

  // Each false = the reader's failure.
  bool read_member(std::string_view name, ondemand::value value, const std::string& prefix,
                   Problems& problems);
  bool take_attribute(std::string_view name, ondemand::value value, const std::string& prefix,
                      Problems& problems);
  bool take_number(std::string_view name, ondemand::value value, const std::string& prefix,
                   Problems& problems);
  void take_string(std::string_view name, std::string_view text, const std::string& prefix,
                   Problems& problems);
  // Notes that the attribute is there, well-formed or not: it isn't also missing.
  void mark(std::string_view name, std::string_view text);
  void check_whole(const std::string& place, const std::string& prefix, Problems& problems);

  const Limits limits_;
  JsonReader& json_;
  bson::Builder event_;
  bson::Builder skipped_;
  std::string identity_;
  Seen seen_;
};

}  // namespace tidemark::cloudevents
