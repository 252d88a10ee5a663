#include "mongo/tls_uri.h"

#include <mongoc/mongoc.h>

#include "base/tls_files.h"

namespace tidemark::mongo {
namespace {

Status named(Status checked, const char* option) {
  if (checked) return {};
  Error error = std::move(checked).error();
  error.what = std::string(option) + " " + error.what;
  return fail(std::move(error));
}

}  // namespace

Status check_tls_files(const _mongoc_uri_t* uri) {
  if (!mongoc_uri_get_tls(uri)) return {};
  const char* ca = mongoc_uri_get_option_as_utf8(uri, MONGOC_URI_TLSCAFILE, nullptr);
  if (ca != nullptr) TIDEMARK_TRY(named(check_ca_file(ca), MONGOC_URI_TLSCAFILE));
  const char* own = mongoc_uri_get_option_as_utf8(uri, MONGOC_URI_TLSCERTIFICATEKEYFILE, nullptr);
  if (own == nullptr) return {};
  const char* password = mongoc_uri_get_option_as_utf8(uri, MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD, "");
  return named(check_certificate_files(own, own, password), MONGOC_URI_TLSCERTIFICATEKEYFILE);
}

}  // namespace tidemark::mongo
