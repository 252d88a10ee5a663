// Whether the files of certificates and keys that a configuration names can be used: looked at before a client library meets
// them in the middle of a handshake and says "failed to initialise" without a name. Stateless; any thread.
#pragma once

#include <string>

#include "base/result.h"

namespace tidemark {

// Each file is PEM. Errors are kConfig, name the file and say OpenSSL's (or the system's) reason.
Status check_ca_file(const std::string& path);
// The certificate's file and the key's may be one. `password`: of the key, where it is encrypted.
Status check_certificate_files(const std::string& certificate, const std::string& key,
                               const std::string& password = {});

// What OpenSSL has noted on this thread since forget_tls_trouble(): "tlsv1 alert unknown ca". Client libraries drop it, and
// the other side's refusal of a certificate then looks like a connection that was closed. Empty when there is nothing.
void forget_tls_trouble();
std::string tls_trouble();

}  // namespace tidemark
