#include "http/response.h"

#include <array>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tidemark::http {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

// RFC 9110's form of a date. The names are written out: a locale must not reach them.
std::string http_date(WallMs now) {
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm at = fmt::gmtime(static_cast<std::time_t>(now / 1000));
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays.at(static_cast<size_t>(at.tm_wday)),
                     at.tm_mday, kMonths.at(static_cast<size_t>(at.tm_mon)), at.tm_year + 1900, at.tm_hour,
                     at.tm_min, at.tm_sec);
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 426:
      return "Upgrade Required";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

Response problem(int status, std::string_view detail) { return problem(status, detail, {}); }

Response problem(int status, std::string_view detail, const std::vector<Answer::Problem>& errors) {
  ordered_json json = {
      {"type", "about:blank"}, {"title", reason_phrase(status)}, {"status", status}, {"detail", detail}};
  for (const Answer::Problem& error : errors)
    json["errors"].push_back({{"where", error.where}, {"what", error.what}});
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = dump(json);
  return response;
}

Response json_response(std::string body) {
  Response response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

Response response_of(const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::kAccepted: {
      Response response = json_response(dump({{"accepted", answer.events}}));
      response.status = 202;
      return response;
    }
    case Answer::Kind::kInvalid:
      return problem(400, answer.detail, answer.problems);
    case Answer::Kind::kUnsupportedType:
      return problem(415, answer.detail);
    case Answer::Kind::kUnavailable:
      break;
  }
  Response response = problem(503, answer.detail);
  response.headers.emplace_back("Retry-After", std::to_string(answer.retry_after.count()));
  return response;
}

std::string render_head(const Response& response, bool keep_alive, WallMs now) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status,
                                 reason_phrase(response.status), http_date(now));
  // A 304 has the length of the file it doesn't send, or none.
  if (response.status != 304) head += fmt::format("Content-Length: {}\r\n", response.bytes().size());
  if (!response.content_type.empty()) head += "Content-Type: " + response.content_type + "\r\n";
  for (const auto& [name, value] : response.headers) head += name + ": " + value + "\r\n";
  if (response.file.empty() && response.status != 304) head += "Cache-Control: no-store\r\n";
  head += "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n";
  head += "Cross-Origin-Resource-Policy: same-origin\r\nContent-Security-Policy: ";
  head += kPolicy;
  head += keep_alive ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
  return head;
}

}  // namespace tidemark::http
