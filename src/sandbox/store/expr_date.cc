// Dates: their parts, $dateToString, $dateFromString, $dateFromParts, $dateTrunc, $dateAdd, $dateSubtract,
// $dateDiff.
#include <algorithm>

#include "sandbox/store/date_text.h"
#include "sandbox/store/expr_node.h"
#include "sandbox/store/numbers.h"

namespace tidemark::sandbox {
namespace {

using Arguments = std::span<const Value>;

// Dates, timestamps and ObjectIds say when; empty for anything else.
std::optional<int64_t> moment(const Value& value) {
  if (value.missing()) return std::nullopt;
  const bson::Element element = value.element();
  switch (element.type()) {
    case BSON_TYPE_DATE_TIME:
      return bson_iter_date_time(&element.iter());
    case BSON_TYPE_TIMESTAMP: {
      uint32_t seconds = 0;
      uint32_t increment = 0;
      bson_iter_timestamp(&element.iter(), &seconds, &increment);
      return int64_t{seconds} * 1000;
    }
    case BSON_TYPE_OID:
      return static_cast<int64_t>(bson_oid_get_time_t(bson_iter_oid(&element.iter()))) * 1000;
    default:
      return std::nullopt;
  }
}

tl::unexpected<CommandError> not_a_date(const Value& value) {
  return command_error(16006, "can't convert from BSON type " + std::string(type_name(value)) + " to Date");
}

Reply<int64_t> zone(const Value& value) {
  if (value.missing()) return 0;
  if (!value.is_string())
    return command_error(40517, "timezone must evaluate to a string, found " + std::string(type_name(value)));
  return zone_offset_ms(value.string());
}

template <int64_t DateParts::*kPart>
Reply<Value> part(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  const auto ms = moment(a[0]);
  if (!ms) return not_a_date(a[0]);
  SANDBOX_ASSIGN(const int64_t offset, zone(a.size() > 1 ? a[1] : Value()));
  return Value(static_cast<int32_t>(parts_of(*ms + offset).*kPart));
}

// date, format, timezone, onNull
Reply<Value> date_to_string(const Scope&, Arguments a) {
  if (a[0].nullish()) return a[3].missing() ? Value::null() : a[3];
  const auto ms = moment(a[0]);
  if (!ms) return not_a_date(a[0]);
  if (!a[1].missing() && a[1].nullish()) return Value::null();
  if (!a[1].missing() && !a[1].is_string())
    return command_error(
        18533, "$dateToString requires that 'format' be a string, found: " + std::string(type_name(a[1])));
  if (!a[2].missing() && a[2].nullish()) return Value::null();
  SANDBOX_ASSIGN(const int64_t offset, zone(a[2]));
  const std::string format(a[1].missing() ? (offset == 0 ? "%Y-%m-%dT%H:%M:%S.%LZ" : "%Y-%m-%dT%H:%M:%S.%L")
                                          : a[1].string());
  SANDBOX_ASSIGN(const std::string text, format_date(*ms, format, offset));
  return Value(text);
}

// dateString, timezone, onError, onNull
Reply<Value> date_from_string(const Scope&, Arguments a) {
  if (a[0].nullish()) return a[3].missing() ? Value::null() : a[3];
  if (!a[0].is_string()) {
    if (!a[2].missing()) return a[2];
    return command_error(kConversionFailure,
                         "$dateFromString requires that 'dateString' be a string, found: " +
                             std::string(type_name(a[0])) + " with value");
  }
  SANDBOX_ASSIGN(const int64_t offset, zone(a[1]));
  const auto ms = parse_iso_date(a[0].string());
  if (ms) return Value::date(*ms - offset);
  if (!a[2].missing()) return a[2];
  return command_error(kConversionFailure, "Error parsing date string '" + std::string(a[0].string()) + "'");
}

// year, month, day, hour, minute, second, millisecond, timezone
Reply<Value> date_from_parts(const Scope&, Arguments a) {
  DateParts parts;
  int64_t* const fields[] = {&parts.year,   &parts.month,  &parts.day,        &parts.hour,
                             &parts.minute, &parts.second, &parts.millisecond};
  for (size_t i = 0; i < 7; ++i) {
    if (a[i].missing()) continue;
    if (a[i].nullish()) return Value::null();
    const auto number = whole_number(a[i]);
    if (!number || *number < INT16_MIN || *number > INT16_MAX)
      return command_error(40515, "'$dateFromParts' needs integers in the range of -32768 to 32767, found " +
                                      std::string(type_name(a[i])));
    *fields[i] = *number;
  }
  if (parts.year < 1 || parts.year > 9999)
    return command_error(40523, "'year' must evaluate to an integer in the range 1 to 9999, found " +
                                    std::to_string(parts.year));
  SANDBOX_ASSIGN(const int64_t offset, zone(a[7]));
  return Value::date(ms_of(parts) - offset);
}

enum class Unit { kYear, kQuarter, kMonth, kWeek, kDay, kHour, kMinute, kSecond, kMillisecond };

std::optional<Unit> unit_of(std::string_view name) {
  static constexpr std::string_view kNames[] = {"year", "quarter", "month",  "week",       "day",
                                                "hour", "minute",  "second", "millisecond"};
  const auto found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<Unit>(found - std::begin(kNames));
}

Reply<Unit> unit(std::string_view function, const Value& value) {
  if (!value.is_string())
    return command_error(5439013, std::string(function) + " requires 'unit' to be a string, but got " +
                                      std::string(type_name(value)));
  if (const auto unit = unit_of(value.string())) return *unit;
  return command_error(kFailedToParse, std::string(function) +
                                           " parameter 'unit' value cannot be recognized as a time unit: " +
                                           std::string(value.string()));
}

// Of units of fixed length.
int64_t unit_ms(Unit unit) {
  static constexpr int64_t kMs[] = {0, 0, 0, 604'800'000, 86'400'000, 3'600'000, 60'000, 1000, 1};
  return kMs[static_cast<int>(unit)];
}

int64_t months_in(Unit unit) { return unit == Unit::kYear ? 12 : unit == Unit::kQuarter ? 3 : 1; }

int64_t days_in_month(const DateParts& parts) {
  DateParts first = parts;
  first.day = 1;
  DateParts next = first;
  ++next.month;
  return (ms_of(next) - ms_of(first)) / 86'400'000;
}

int64_t add_units(int64_t ms, Unit unit, int64_t amount) {
  if (unit_ms(unit) != 0) return ms + amount * unit_ms(unit);
  DateParts parts = parts_of(ms);
  const int64_t day = parts.day;
  parts.day = 1;
  parts.month += amount * months_in(unit);
  parts.day = std::min(day, days_in_month(parts));
  return ms_of(parts);
}

// startDate, unit, amount, timezone
template <int kSign>
Reply<Value> date_add(const Scope&, Arguments a) {
  const std::string name = kSign > 0 ? "$dateAdd" : "$dateSubtract";
  if (a[0].nullish() || a[1].nullish() || a[2].nullish()) return Value::null();
  const auto ms = moment(a[0]);
  if (!ms) return command_error(5166403, name + " requires startDate to be convertible to a date");
  SANDBOX_ASSIGN(const Unit by, unit(name, a[1]));
  const auto amount = whole_number(a[2]);
  if (!amount) return command_error(5166405, name + " expects integer amount of time units");
  if (*amount < -(int64_t{1} << 40) || *amount > (int64_t{1} << 40))
    return command_error(5166406, name + " overflowed");
  SANDBOX_ASSIGN(const int64_t offset, zone(a[3]));
  return Value::date(add_units(*ms + offset, by, kSign * *amount) - offset);
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// date, unit, binSize, timezone: bins are counted from 2000-01-01, weeks from the Sunday after it.
Reply<Value> date_trunc(const Scope&, Arguments a) {
  if (a[0].nullish() || a[1].nullish()) return Value::null();
  const auto ms = moment(a[0]);
  if (!ms) return command_error(5439012, "$dateTrunc requires 'date' to be convertible to a date");
  SANDBOX_ASSIGN(const Unit by, unit("$dateTrunc", a[1]));
  const auto size = a[2].missing() ? std::optional<int64_t>(1) : whole_number(a[2]);
  if (!size || *size < 1 || *size > (int64_t{1} << 32))
    return command_error(5439017, "$dateTrunc requires 'binSize' to be a positive 64-bit integer");
  SANDBOX_ASSIGN(const int64_t offset, zone(a[3]));
  const int64_t local = *ms + offset;
  constexpr int64_t kReference = 946'684'800'000;  // 2000-01-01
  if (unit_ms(by) != 0) {
    const int64_t reference = by == Unit::kWeek ? kReference + 86'400'000 : kReference;
    const int64_t bin = unit_ms(by) * *size;
    return Value::date(reference + floor_div(local - reference, bin) * bin - offset);
  }
  const DateParts parts = parts_of(local);
  const int64_t bin = months_in(by) * *size;
  const int64_t months = (parts.year - 2000) * 12 + parts.month - 1;
  DateParts start;
  start.year = 2000;
  start.month = 1 + floor_div(months, bin) * bin;
  return Value::date(ms_of(start) - offset);
}

// startDate, endDate, unit, timezone: how many boundaries of the unit lie between.
Reply<Value> date_diff(const Scope&, Arguments a) {
  if (a[0].nullish() || a[1].nullish() || a[2].nullish()) return Value::null();
  const auto start = moment(a[0]);
  const auto end = moment(a[1]);
  if (!start || !end) return command_error(5166307, "$dateDiff requires its dates to be dates");
  SANDBOX_ASSIGN(const Unit by, unit("$dateDiff", a[2]));
  SANDBOX_ASSIGN(const int64_t offset, zone(a[3]));
  if (unit_ms(by) != 0) {
    const int64_t shift =
        by == Unit::kWeek ? 4 * 86'400'000 : 0;  // the epoch was a Thursday, weeks begin on Sunday
    return Value(floor_div(*end + offset + shift, unit_ms(by)) -
                 floor_div(*start + offset + shift, unit_ms(by)));
  }
  const auto count = [&](int64_t ms) {
    const DateParts parts = parts_of(ms + offset);
    return floor_div(parts.year * 12 + parts.month - 1, months_in(by));
  };
  return Value(count(*end) - count(*start));
}

}  // namespace

void add_date_operators(OperatorTable& table) {
  const std::vector<std::string_view> dated{"date", "timezone"};
  table["$year"] = {part<&DateParts::year>, 1, 1, dated, nullptr, 40535};
  table["$month"] = {part<&DateParts::month>, 1, 1, dated, nullptr, 40535};
  table["$dayOfMonth"] = {part<&DateParts::day>, 1, 1, dated, nullptr, 40535};
  table["$hour"] = {part<&DateParts::hour>, 1, 1, dated, nullptr, 40535};
  table["$minute"] = {part<&DateParts::minute>, 1, 1, dated, nullptr, 40535};
  table["$second"] = {part<&DateParts::second>, 1, 1, dated, nullptr, 40535};
  table["$millisecond"] = {part<&DateParts::millisecond>, 1, 1, dated, nullptr, 40535};
  table["$dayOfYear"] = {part<&DateParts::day_of_year>, 1, 1, dated, nullptr, 40535};
  table["$dayOfWeek"] = {part<&DateParts::day_of_week>, 1, 1, dated, nullptr, 40535};
  // The positional form makes no sense for these: their arguments are named.
  table["$dateToString"] = {date_to_string, 1, 0, {"date", "format", "timezone", "onNull"}, nullptr, 18534};
  table["$dateFromString"] = {date_from_string, 1,    0, {"dateString", "timezone", "onError", "onNull"},
                              nullptr,          40541};
  table["$dateFromParts"] = {date_from_parts,
                             1,
                             0,
                             {"year", "month", "day", "hour", "minute", "second", "millisecond", "timezone"},
                             nullptr,
                             40518};
  table["$dateAdd"] = {date_add<1>, 3, 0, {"startDate", "unit", "amount", "timezone"}, nullptr, 5166401};
  table["$dateSubtract"] = {date_add<-1>, 3,      0, {"startDate", "unit", "amount", "timezone"},
                            nullptr,      5166401};
  table["$dateTrunc"] = {date_trunc, 2, 0, {"date", "unit", "binSize", "timezone"}, nullptr, 5439008};
  table["$dateDiff"] = {date_diff, 3, 0, {"startDate", "endDate", "unit", "timezone"}, nullptr, 5166302};
}

}  // namespace tidemark::sandbox
