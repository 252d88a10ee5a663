#include "http/message.h"

#include <algorithm>

#include <boost/beast/http/error.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

namespace tidemark::http {

namespace beast = boost::beast;

Request head_of(const RequestParser& parser) {
  const auto& message = parser.get();
  Request request;
  request.method = std::string(message.method_string());
  request.set_target(message.target());
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    request.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  if (const auto length = parser.content_length()) request.content_length = *length;
  request.chunked = parser.chunked();
  request.upgrade = beast::websocket::is_upgrade(message);
  request.keep_alive = message.keep_alive();
  request.http_1_0 = message.version() == 10;
  return request;
}

Response problem_of(const boost::system::error_code& error) {
  using Kind = beast::http::error;
  if (error == Kind::header_limit || error == Kind::buffer_overflow)
    return problem(431, "the request's head is too large");
  if (error == Kind::body_limit) return problem(413, "the body is too large");
  if (error == Kind::bad_version) return problem(505, "HTTP/1.0 and HTTP/1.1 are spoken here");
  return problem(400, "this is no HTTP request: " + error.message());
}

Submission submission_of(Request request) {
  Submission submission;
  if (const std::string* type = request.header("content-type")) submission.content_type = *type;
  for (auto& [name, value] : request.headers) {
    if (name.starts_with("ce-")) submission.headers.emplace_back(std::move(name), std::move(value));
  }
  submission.body = std::move(request.body);
  return submission;
}

}  // namespace tidemark::http
