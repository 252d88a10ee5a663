// From Beast's parsed request to ours. Apart from the connection, so that the fuzzer takes the same way.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "http/request.h"
#include "http/response.h"

namespace tidemark::http {

using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

// The head alone. REQUIRES parser.is_header_done().
Request head_of(const RequestParser& parser);

// What is answered to bytes that aren't a request, or to a body that is too large.
Response problem_of(const boost::system::error_code& error);

// The "ce-" fields and the rest of what an inlet is given.
Submission submission_of(Request request);

}  // namespace tidemark::http
