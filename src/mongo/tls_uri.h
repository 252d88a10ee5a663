// The files of TLS that a MongoDB URI names. Stateless; any thread.
#pragma once

#include "base/result.h"

struct _mongoc_uri_t;

namespace tidemark::mongo {

// kConfig that names the option, the file and the reason when tlsCAFile or tlsCertificateKeyFile can't be used: libmongoc
// itself says no more of it than "Failed initialize TLS state."
Status check_tls_files(const _mongoc_uri_t* uri);

}  // namespace tidemark::mongo
