#include "mongo/library.h"

#include <algorithm>

#include <mongoc/mongoc.h>

#include "base/log.h"

namespace tidemark::mongo {
namespace {

void driver_log(mongoc_log_level_t, const char* domain, const char* message, void*) {
  if (std::string_view(domain) == "uri") return;  // it quotes the URI, and with it what may be a password
  log::debug("libmongoc {}: {}", domain, message);
}

void init_library() {
  static const bool once = (mongoc_init(), mongoc_log_set_handler(driver_log, nullptr), true);
  (void)once;
}

}  // namespace

void UriDeleter::operator()(_mongoc_uri_t* uri) const { mongoc_uri_destroy(uri); }

Result<UriPtr> parse_uri(const std::string& text) {
  init_library();
  bson_error_t error;
  UriPtr uri(mongoc_uri_new_with_error(text.c_str(), &error));
  if (uri) return uri;
  // The library's words quote what it didn't understand, which may be part of a password.
  return fail(React::kConfig, "not a MongoDB URI (it isn't shown, as it may hold a password)",
              "write mongodb://user:password@host1,host2/?replicaSet=name or mongodb+srv://...");
}

void set_default(_mongoc_uri_t* uri, const char* option, std::chrono::milliseconds value) {
  if (!mongoc_uri_has_option(uri, option))
    mongoc_uri_set_option_as_int32(uri, option, static_cast<int32_t>(std::max<int64_t>(1, value.count())));
}

void set_default_app_name(_mongoc_uri_t* uri, const std::string& name) {
  if (!mongoc_uri_has_option(uri, MONGOC_URI_APPNAME))
    mongoc_uri_set_option_as_utf8(uri, MONGOC_URI_APPNAME, name.c_str());
}

Origin origin_of(const _bson_error_t& error) {
  switch (error.domain) {
    case MONGOC_ERROR_SERVER:
    case MONGOC_ERROR_QUERY:
    case MONGOC_ERROR_WRITE_CONCERN:
      return Origin::kServer;
    case MONGOC_ERROR_STREAM:
    case MONGOC_ERROR_POOL:
      return Origin::kNetwork;
    case MONGOC_ERROR_PROTOCOL:
      return error.code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION ? Origin::kIncompatible : Origin::kNetwork;
    case MONGOC_ERROR_SERVER_SELECTION:
      return error.code == MONGOC_ERROR_SERVER_SELECTION_BAD_WIRE_VERSION ? Origin::kIncompatible
                                                                          : Origin::kSelection;
    case MONGOC_ERROR_SASL:
    case MONGOC_ERROR_SCRAM:
      return Origin::kAuthentication;
    case MONGOC_ERROR_CLIENT:
      switch (error.code) {
        case MONGOC_ERROR_CLIENT_AUTHENTICATE:
          return Origin::kAuthentication;
        // Not connected, no member, no session, "in exhaust".
        case MONGOC_ERROR_CLIENT_NOT_READY:
        case MONGOC_ERROR_CLIENT_NO_ACCEPTABLE_PEER:
        case MONGOC_ERROR_CLIENT_SESSION_FAILURE:
        case MONGOC_ERROR_CLIENT_IN_EXHAUST:
          return Origin::kNetwork;
        default:
          return Origin::kDriver;
      }
    default:
      return Origin::kDriver;
  }
}

Told told_by(const _bson_error_t& error, bson::View reply) {
  Told told;
  told.origin = origin_of(error);
  told.message = error.message;
  if (told.origin == Origin::kServer) told.code = static_cast<int>(error.code);
  // The reply is the better witness: the driver's own message is cut at 500 bytes, and labels stand here alone.
  if (const auto code = reply.find("code"); code && code->integer()) {
    told.origin = Origin::kServer;
    told.code = static_cast<int>(*code->integer());
  }
  if (const auto text = reply.find("errmsg"); text && text->is_string()) told.message = text->string();
  if (const auto labels = reply.find("errorLabels"); labels && labels->is_array()) {
    for (const bson::Element label : labels->document())
      if (label.is_string()) told.labels.emplace_back(label.string());
  }
  return told;
}

}  // namespace tidemark::mongo
