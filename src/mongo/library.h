// What everything that stands on libmongoc does alike: beginning the library, reading a URI and setting what it doesn't say,
// and telling who raised an error. Any thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "mongo/classify.h"

struct _bson_error_t;
struct _mongoc_uri_t;

namespace tidemark::mongo {

struct UriDeleter {
  void operator()(_mongoc_uri_t* uri) const;
};
using UriPtr = std::unique_ptr<_mongoc_uri_t, UriDeleter>;

// Begins the library when it is called first; its messages go to the log, without the URI. kConfig when it can't read the
// text, which may hold a password and isn't repeated. Connects to nothing.
Result<UriPtr> parse_uri(const std::string& text);

// For an option in milliseconds, of at least 1; what the URI says goes before it.
void set_default(_mongoc_uri_t* uri, const char* option, std::chrono::milliseconds value);
void set_default_app_name(_mongoc_uri_t* uri, const std::string& name);

Origin origin_of(const _bson_error_t& error);

// A failure that owns its texts, as libmongoc and the reply tell it.
struct Told {
  Origin origin = Origin::kServer;
  int code = 0;  // the server's; 0 for the driver's own
  std::vector<std::string> labels;
  std::string message;

  // Valid as long as this.
  Failure failure() const { return {origin, code, labels, message}; }
};
// `reply` is empty where there was none.
Told told_by(const _bson_error_t& error, bson::View reply);

}  // namespace tidemark::mongo
