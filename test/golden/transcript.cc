#include "golden/transcript.h"

#include <cctype>
#include <fstream>
#include <map>
#include <sstream>

namespace tidemark::golden {
namespace {

Result<std::vector<bson::Document>> read_lines(const std::string& path) {
  std::ifstream in(path);
  if (!in) return fail(React::kFatal, "can't read " + path);
  std::vector<bson::Document> lines;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    auto document = bson::Document::from_json(line);
    if (!document) {
      return fail(React::kFatal,
                  path + ":" + std::to_string(lines.size() + 1) + ": " + document.error().what);
    }
    lines.push_back(std::move(*document));
  }
  return lines;
}

std::string text_of(bson::View line, std::string_view field) {
  const auto element = line.find(field);
  return element && element->is_string() ? std::string(element->string()) : std::string();
}

bson::Document document_of(bson::View line, std::string_view field) {
  const auto element = line.find(field);
  return element && element->is_document() ? bson::Document(element->document()) : bson::Document();
}

// 7.0 adds the wall clock's time to every event and words update descriptions by another diff.
bson::Document event_as_seven(bson::View event) {
  bson::Builder out;
  for (const bson::Element field : event) {
    if (field.key() == "updateDescription") {
      out.append("updateDescription", "%doc");
      continue;
    }
    out.append(field.key(), field);
    if (field.key() == "clusterTime") out.append("wallTime", "%date");
  }
  return out.finish();
}

bson::Document cursor_as_seven(bson::View cursor) {
  bson::Builder out;
  for (const bson::Element field : cursor) {
    if (!field.is_array()) {
      out.append(field.key(), field);
      continue;
    }
    bson::Builder events;
    for (const bson::Element event : field.document())
      events.append(event.key(), event_as_seven(event.document()));
    out.append_array(field.key(), events.view());
  }
  return out.finish();
}

// operationTime stands last, in success and in failure.
bson::Document reply_as_seven(bson::View reply) {
  bson::Builder out;
  for (const bson::Element field : reply) {
    if (field.key() == "operationTime") continue;
    if (field.key() == "cursor") {
      out.append("cursor", cursor_as_seven(field.document()));
    } else {
      out.append(field.key(), field);
    }
  }
  if (const auto time = reply.find("operationTime")) out.append("operationTime", *time);
  return out.finish();
}

}  // namespace

Result<std::vector<Step>> load_steps(const std::string& folder, Server server) {
  TIDEMARK_ASSIGN(const std::vector<bson::Document> lines, read_lines(folder + "/recorded.jsonl"));
  std::map<int64_t, bson::Document> seven;
  if (server == Server::kSeven) {
    TIDEMARK_ASSIGN(const std::vector<bson::Document> changes, read_lines(folder + "/seven.jsonl"));
    for (const bson::Document& change : changes) seven[*change.view().find("n")->integer()] = change;
  }
  std::vector<Step> steps;
  for (const bson::Document& line : lines) {
    const bson::View view = line;
    Step step;
    step.database = text_of(view, "db");
    if (const auto number = view.find("n")) {
      step.number = static_cast<int>(*number->integer());
      step.section = text_of(view, "section");
      step.name = text_of(view, "step");
      step.command = document_of(view, "command");
      step.reply = document_of(view, "reply");
      if (server == Server::kSeven) step.reply = reply_as_seven(step.reply);
      if (const auto change = seven.find(step.number); change != seven.end()) {
        step.skip = text_of(change->second, "skip");
        if (step.skip.empty()) step.reply = document_of(change->second, "reply");
      }
    } else {
      step.command = document_of(view, "do");
      if (server == Server::kSeven && view.find("seven")) step.command = document_of(view, "seven");
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

Result<std::vector<KnownDifference>> load_differences(const std::string& folder) {
  const std::string path = folder + "/differences.md";
  std::ifstream in(path);
  if (!in) return fail(React::kFatal, "can't read " + path);
  std::vector<KnownDifference> rows;
  for (std::string line; std::getline(in, line);) {
    // | 4.2 | 9-10 | `writeErrors[*].keyValue` | why |
    std::istringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, '|');) {
      const size_t from = cell.find_first_not_of(" `");
      row.push_back(from == std::string::npos ? ""
                                              : cell.substr(from, cell.find_last_not_of(" `") - from + 1));
    }
    if (row.size() < 5 || (row[1] != "4.2" && row[1] != "7.0") || row[2].empty() ||
        std::isdigit(static_cast<unsigned char>(row[2][0])) == 0) {
      continue;
    }
    KnownDifference known{.version = row[1], .path = row[3], .used = row[4].starts_with("Sometimes")};
    const size_t dash = row[2].find('-');
    known.first = std::stoi(row[2]);
    known.last = dash == std::string::npos ? known.first : std::stoi(row[2].substr(dash + 1));
    rows.push_back(std::move(known));
  }
  return rows;
}

}  // namespace tidemark::golden
