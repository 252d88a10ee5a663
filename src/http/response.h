// An answer as the routes make it, and how its head is written. A value, one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/inlet.h"
#include "env/clock.h"

namespace tidemark::http {

struct Response {
  int status = 200;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;  // names and values of our own making
  std::string body;
  std::string_view file;  // instead of `body`: bytes that live as long as the program
  bool close = false;     // the connection ends with this answer

  std::string_view bytes() const { return file.empty() ? std::string_view(body) : file; }
};

// application/problem+json (RFC 9457). `detail` is for people and holds no secret.
Response problem(int status, std::string_view detail);
Response problem(int status, std::string_view detail, const std::vector<Answer::Problem>& errors);
Response json_response(std::string body);

// What an inlet answered, in HTTP.
Response response_of(const Answer& answer);

// Everything up to the body. Fields that every answer carries are added here: length, date, what keeps a browser from
// guessing types, and what keeps the page from loading anything that isn't its own.
std::string render_head(const Response& response, bool keep_alive, WallMs now);

// "Not Found"; of every status used here.
std::string_view reason_phrase(int status);

}  // namespace tidemark::http
