#include "cloudevents/parser.h"

#include "base/check.h"
#include "bson/document.h"
#include "cloudevents/binary.h"
#include "cloudevents/event_reader.h"
#include "cloudevents/json_reader.h"
#include "cloudevents/rules.h"

namespace tidemark::cloudevents {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The change event around a document, in `out`, and the Event on a copy of it in the batch.
Event& append_event(std::string_view id, bson::View document, Receipt receipt, bson::Builder& scratch,
                    EventBatch& batch) {
  bson_t* raw = scratch.raw();
  bson_reinit(raw);
  bson_t child;
  bson_append_document_begin(raw, "_id", 3, &child);
  bson_append_utf8(&child, "_data", 5, id.data(), static_cast<int>(id.size()));
  bson_append_document_end(raw, &child);
  scratch.append("operationType", "insert");
  scratch.append_date("wallTime", receipt.received_ms);
  bson_append_document_begin(raw, "ns", 2, &child);
  bson_append_utf8(&child, "db", 2, kDatabase.data(), static_cast<int>(kDatabase.size()));
  bson_append_utf8(&child, "coll", 4, kCollection.data(), static_cast<int>(kCollection.size()));
  bson_append_document_end(raw, &child);
  bson_append_document_begin(raw, "documentKey", 11, &child);
  bson_append_utf8(&child, "_id", 3, id.data(), static_cast<int>(id.size()));
  bson_append_document_end(raw, &child);
  scratch.append("fullDocument", document);
  auto event = parse_change_event(batch.store(scratch.view()));
  TIDEMARK_CHECK(event.has_value(), "an event built here has no id");
  event->attempts = receipt.attempts;
  batch.events().push_back(*event);
  return batch.events().back();
}

}  // namespace

class Parser::Impl {
 public:
  explicit Impl(Limits limits) : limits_(limits) {}

  Problems structured(std::string_view json, Receipt receipt, EventBatch& batch) {
    Problems problems;
    if (json.size() > limits_.event_bytes_max) {
      add_problem(problems, "body", "is larger than " + std::to_string(limits_.event_bytes_max) + " bytes");
      return problems;
    }
    json = trim(json);
    if (!read_structured(json, receipt, batch, problems)) return problems;
    batch.events().back().payload = batch.store(json);
    return problems;
  }

  Problems batch(std::string_view json, Receipt receipt, EventBatch& batch) {
    Problems problems;
    if (json.size() > limits_.body_bytes_max) {
      add_problem(problems, "body", "is larger than " + std::to_string(limits_.body_bytes_max) + " bytes");
      return problems;
    }
    const size_t before = batch.events().size();
    read_batch(json, receipt, batch, problems);
    json_.shrink();
    if (!problems.empty()) {
      batch.events().resize(before);
      return problems;
    }
    const std::string_view stored = batch.store(json);
    for (size_t i = before; i < batch.events().size(); ++i) {
      const auto [offset, size] = slices_[i - before];
      batch.events()[i].payload = stored.substr(offset, size);
    }
    return problems;
  }

  Problems binary(std::string_view content_type, Headers headers, std::string_view body, Receipt receipt,
                  EventBatch& batch) {
    Problems problems;
    if (body.size() > limits_.event_bytes_max) {
      add_problem(problems, "body", "is larger than " + std::to_string(limits_.event_bytes_max) + " bytes");
      return problems;
    }
    const DataForm form = data_form(content_type, body);
    if (form == DataForm::kJson && !check_json(body, problems)) return problems;
    composed_.clear();
    compose_binary(content_type, headers, body, form, composed_, problems);
    if (!problems.empty()) return problems;
    if (read_structured(composed_, receipt, batch, problems)) {
      batch.events().back().payload = batch.store(std::string_view(composed_));
    } else {
      for (Answer::Problem& problem : problems) problem.where = binary_place(problem.where);
    }
    return problems;
  }

 private:
  bool read_structured(std::string_view json, Receipt receipt, EventBatch& batch, Problems& problems) {
    const bool read = read_one(json, receipt, batch, problems);
    json_.shrink();
    return read;
  }

  bool read_one(std::string_view json, Receipt receipt, EventBatch& batch, Problems& problems) {
    if (!json_.open(json)) return events_.report("", problems);
    if (json.front() != '{') {
      add_problem(problems, "body", "is not a JSON object");
      return false;
    }
    ondemand::object object;
    if (const auto error = json_.document().get_object().get(object))
      return events_.report_syntax(error, problems);
    if (!events_.read(object, "", problems)) return false;
    if (!json_.at_end())
      add_problem(problems, "body", "has more after the event, near byte " + std::to_string(json_.offset()));
    if (!problems.empty()) return false;
    append_event(events_.identity(), events_.document(), receipt, scratch_, batch);
    return true;
  }

  void read_batch(std::string_view json, Receipt receipt, EventBatch& batch, Problems& problems) {
    slices_.clear();
    if (!json_.open(json)) {
      events_.report("", problems);
      return;
    }
    if (trim(json).front() != '[') return add_problem(problems, "body", "is not a JSON array of events");
    ondemand::array array;
    if (const auto error = json_.document().get_array().get(array)) {
      events_.report_syntax(error, problems);
      return;
    }
    for (auto item : array) {
      if (slices_.size() >= limits_.events_max)
        return add_problem(problems, "body",
                           "has more than " + std::to_string(limits_.events_max) + " events");
      if (problems.size() >= Answer::kProblemsMax) return;
      if (!read_item(std::move(item), receipt, batch, problems)) return;
    }
    if (!json_.at_end())
      add_problem(problems, "body", "has more after the array, near byte " + std::to_string(json_.offset()));
  }

  // False = reading can't go on.
  bool read_item(simdjson::simdjson_result<ondemand::value> item, Receipt receipt, EventBatch& batch,
                 Problems& problems) {
    ondemand::value value;
    ondemand::object object;
    const std::string place = "events[" + std::to_string(slices_.size()) + "]";
    if (const auto error = std::move(item).get(value)) return events_.report_syntax(error, problems);
    const size_t begin = json_.offset();
    if (const auto error = value.get_object().get(object)) {
      if (error != simdjson::INCORRECT_TYPE) return events_.report_syntax(error, problems);
      add_problem(problems, place, "is not a JSON object");
      return false;
    }
    const size_t problems_before = problems.size();
    if (!events_.read(object, place, problems)) return false;
    const std::string_view slice = trim(json_.text().substr(begin, json_.offset() - begin));
    slices_.push_back({begin, slice.size()});
    if (slice.size() > limits_.event_bytes_max)
      add_problem(problems, place, "is larger than " + std::to_string(limits_.event_bytes_max) + " bytes");
    if (problems.size() == problems_before)
      append_event(events_.identity(), events_.document(), receipt, scratch_, batch);
    return true;
  }

  // Whether `body` is one JSON value and nothing else.
  bool check_json(std::string_view body, Problems& problems) {
    // Within brackets, so that a scalar is read like any value, and so that what stands behind it is seen.
    composed_.assign("[").append(body).append("]");
    const bool read = check_bracketed(problems);
    json_.shrink();
    return read;
  }

  bool check_bracketed(Problems& problems) {
    if (!json_.open(composed_)) return events_.report("", problems);
    ondemand::array array;
    size_t values = 0;
    if (const auto error = json_.document().get_array().get(array))
      return events_.report_syntax(error, problems);
    for (auto item : array) {
      ondemand::value value;
      if (const auto error = std::move(item).get(value)) return events_.report_syntax(error, problems);
      if (!events_.skip(value)) {
        json_.below_name("body");
        return events_.report("", problems);
      }
      ++values;
    }
    if (values == 1 && json_.at_end()) return true;
    add_problem(problems, "body", "is not one JSON value");
    return false;
  }

  const Limits limits_;
  JsonReader json_;
  EventReader events_{limits_, json_};
  bson::Builder scratch_;                          // the change event around a CloudEvent
  std::string composed_;                           // binary mode's event
  std::vector<std::pair<size_t, size_t>> slices_;  // offset and size of each event of a batch
};

Parser::Parser(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
Parser::~Parser() = default;

Problems Parser::parse(Form form, std::string_view content_type, Headers headers, std::string_view body,
                       Receipt receipt, EventBatch& batch) {
  switch (form) {
    case Form::kStructured:
      return structured(body, receipt, batch);
    case Form::kBatch:
      return this->batch(body, receipt, batch);
    case Form::kBinary:
      return binary(content_type, headers, body, receipt, batch);
  }
  return {{"body", "has an unknown form"}};
}

Problems Parser::structured(std::string_view json, Receipt receipt, EventBatch& batch) {
  return impl_->structured(json, receipt, batch);
}

Problems Parser::batch(std::string_view json, Receipt receipt, EventBatch& batch) {
  return impl_->batch(json, receipt, batch);
}

Problems Parser::binary(std::string_view content_type, Headers headers, std::string_view body,
                        Receipt receipt, EventBatch& batch) {
  return impl_->binary(content_type, headers, body, receipt, batch);
}

Event& append_malformed(std::string_view id, std::string_view body, std::string_view content_type,
                        std::string_view reason, Receipt receipt, EventBatch& batch) {
  bson::Builder document, scratch;
  if (is_utf8(body)) {
    document.append("body", body);
  } else {
    std::string base64;
    append_base64(body, base64);
    document.append("body", base64);
  }
  document.append("contentType", is_utf8(content_type) ? content_type : std::string_view());
  Event& event = append_event(id, document.view(), receipt, scratch, batch);
  event.payload = batch.store(body);
  event.reject_reason = batch.store(reason.empty() ? std::string_view("it can't be read") : reason);
  event.malformed = true;
  return event;
}

std::string describe(const Problems& problems) {
  std::string text;
  for (const Answer::Problem& problem : problems) {
    if (!text.empty()) text.append("; ");
    text.append(problem.where).append(" ").append(problem.what);
  }
  return text;
}

}  // namespace tidemark::cloudevents
