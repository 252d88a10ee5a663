#include "sinks/postgres/audit_sql.h"

#include <charconv>
#include <limits>

#include <fmt/format.h>

namespace tidemark::postgres {
namespace {

// The texts that a time can be in, looked for once each.
constexpr const char* kTimes =
    "doc #>> $1::text[] AS date, doc #>> $2::text[] AS oid, doc #>> $3::text[] AS seconds";

// Their milliseconds: what time_in() says of the document. Texts that aren't what they say are checked before they are
// cast, because one that can't be cast would end the statement, and every audit with it.
constexpr const char* kMilliseconds =
    "CASE WHEN date IS NOT NULL THEN CASE WHEN date ~ '^-?[0-9]{1,18}$' THEN date::bigint "
    "WHEN date ~ '^-?[0-9]{19}$' THEN CASE WHEN date::numeric BETWEEN -9223372036854775808 AND "
    "9223372036854775807 THEN date::bigint END END "
    "WHEN oid IS NOT NULL THEN CASE WHEN oid ~ '^[0-9a-f]{24}$' "
    "THEN ('x00000000' || left(oid, 8))::bit(64)::bigint * 1000 END "
    "WHEN seconds ~ '^[0-9]{1,10}$' THEN seconds::bigint * 1000 END AS ms";

constexpr const char* kLeaf = "('x' || substr(md5(convert_to(id, 'UTF8')), 1, 3))::bit(12)::int";

// A row without an id is nothing of the sink's, and a scan begins behind it.
constexpr const char* kHasId = " WHERE id <> ''";

const std::string kRows = "SELECT id, coalesce(doc::text, '') FROM ";

// bucket_of(), at the beginning of time too: the first bucket there is cut off.
std::string bucket(int64_t width_ms) {
  constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
  const std::string width = std::to_string(width_ms) + "::bigint";
  const std::string first = "'" + std::to_string(kFirst) + "'::bigint";
  const std::string second = "'" + std::to_string(kFirst / width_ms * width_ms) + "'::bigint";
  return "CASE WHEN ms < " + second + " THEN " + first + " ELSE ms - (ms % " + width + " + " + width +
         ") % " + width + " END";
}

// As text in the statement, whatever the server takes a backslash for.
std::string literal(std::string_view text) {
  std::string out = "E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out.push_back(c);
    out.push_back(c);
  }
  out.push_back('\'');
  return out;
}

std::string wrapped(std::string_view field) {
  std::string out = "coalesce(doc ? '$bson'";
  for (const std::string& parent : parents_of(field))
    out += " OR (doc #> " + literal(parent) + "::text[]) ? '$bson'";
  return out + ", false)";
}

}  // namespace

std::string page_sql(const std::string& table, size_t limit) {
  return kRows + table + " WHERE id > $1 ORDER BY id LIMIT " + std::to_string(limit);
}

std::string rows_sql(const std::string& table) { return kRows + table + kHasId; }

std::string leaves_sql(const std::string& table, std::span<const uint16_t> leaves) {
  std::string numbers;
  for (const uint16_t leaf : leaves) numbers += (numbers.empty() ? "" : ",") + std::to_string(leaf);
  return kRows + table + kHasId + " AND " + kLeaf + " = ANY('{" + numbers + "}'::int[])";
}

std::string lookup_sql(const std::string& table) { return kRows + table + " WHERE id = ANY($1::text[])"; }

std::string counts_sql(const std::string& table, std::string_view field, int64_t width_ms) {
  return "SELECT " + bucket(width_ms) + " AS bucket, count(*), wrapped::int FROM (SELECT " +
         std::string(kMilliseconds) + ", wrapped FROM (SELECT " + kTimes + ", " + wrapped(field) +
         " AS wrapped FROM " + table + kHasId + " OFFSET 0) AS r OFFSET 0) AS t GROUP BY 1, 3";
}

std::string wrapped_sql(const std::string& table, std::string_view field) {
  return kRows + table + kHasId + " AND " + wrapped(field);
}

std::string array_text(std::span<const std::string> items) {
  std::string out = "{";
  for (const std::string& item : items) {
    if (out.size() > 1) out.push_back(',');
    out.push_back('"');
    for (const char c : item) {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
    out.push_back('"');
  }
  out.push_back('}');
  return out;
}

namespace {

std::vector<std::string> names_of(std::string_view dotted) {
  std::vector<std::string> names;
  while (true) {
    const size_t dot = dotted.find('.');
    names.emplace_back(dotted.substr(0, dot));
    if (dot == std::string_view::npos) return names;
    dotted.remove_prefix(dot + 1);
  }
}

}  // namespace

std::vector<std::string> time_paths(std::string_view dotted) {
  const std::vector<std::string> names = names_of(dotted);
  const auto with = [&names](std::initializer_list<const char*> more) {
    std::vector<std::string> path = names;
    path.insert(path.end(), more.begin(), more.end());
    return array_text(path);
  };
  return {with({"$date", "$numberLong"}), with({"$oid"}), with({"$timestamp", "t"})};
}

std::vector<std::string> parents_of(std::string_view dotted) {
  const std::vector<std::string> names = names_of(dotted);
  std::vector<std::string> parents;
  for (size_t count = 1; count < names.size(); ++count)
    parents.push_back(array_text(std::span(names).first(count)));
  return parents;
}

std::optional<int64_t> number_or_null(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc()) return std::nullopt;
  return value;
}

}  // namespace tidemark::postgres
