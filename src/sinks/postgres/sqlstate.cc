#include "sinks/postgres/sqlstate.h"

#include <algorithm>
#include <iterator>

namespace tidemark::postgres {
namespace {

struct Row {
  std::string_view code;  // five characters, or the two of a class
  Reaction reaction;
};

constexpr Row kRows[] = {
    // A single code, where its class says something else.
    {"25006",
     {React::kRetry,
      "the server is a standby: name the primary, or several hosts and target_session_attrs=read-write"}},
    {"42501",
     {React::kDenied,
      "grant the user CONNECT, CREATE on the schema, and SELECT, INSERT, UPDATE, DELETE on the tables"}},
    {"42P01",
     {React::kConfig,
      "a table is gone that was there before: put it back, or reset the position and copy anew"}},
    {"42703",
     {React::kConfig,
      "the table was changed under the running pipeline: restore its columns, or start again where it was "
      "converted"}},
    {"42804",
     {React::kConfig,
      "the table was changed under the running pipeline: restore its columns, or start again where it was "
      "converted"}},
    {"42939", {React::kConfig, "the name is reserved: choose another table or schema"}},
    {"42602", {React::kConfig, "choose another name for the table"}},
    {"42622", {React::kReject, "names in PostgreSQL hold at most 63 bytes"}},
    {"3F000", {React::kDenied, "create the schema, or grant the user CREATE on the database"}},
    {"3D000", {React::kDenied, "create the database, or correct the uri"}},
    {"55000", {React::kRetry, ""}},
    {"55006", {React::kRetry, ""}},
    {"55P03", {React::kRetry, "another session holds a lock on the table"}},
    {"57014", {React::kRetry, "a statement took longer than statement_timeout, or somebody cancelled it"}},
    {"26000",
     {React::kRetry,
      "prepared statements vanish behind a pooler in transaction mode: connect to the server itself"}},
    {"0A000", {React::kRetry, "the table was changed under the running pipeline"}},
    {"XX001", {React::kCorrupt, "the server reports damaged data: see its log"}},
    {"XX002", {React::kCorrupt, "the server reports a damaged index: see its log"}},
    // Classes.
    {"08", {React::kRetry, ""}},
    {"22", {React::kReject, "PostgreSQL can't hold this value"}},
    {"23", {React::kReject, "a constraint of the table refuses the row"}},
    {"25", {React::kRetry, ""}},
    {"28", {React::kDenied, "check user and password in the uri, and the server's pg_hba.conf"}},
    {"40", {React::kRetry, ""}},
    {"42", {React::kConfig, ""}},
    {"44", {React::kReject, "a view's check option refuses the row"}},
    {"53", {React::kRetry, "the server is out of disk, memory or connections"}},
    {"54", {React::kReject, "the document or its _id is beyond a limit of PostgreSQL"}},
    {"55", {React::kRetry, ""}},
    {"57", {React::kRetry, ""}},
    {"58", {React::kRetry, "the server's disk or file system fails"}},
    {"P0", {React::kReject, "a trigger of the table refuses the row"}},
};

}  // namespace

Reaction reaction_to(std::string_view sqlstate) {
  for (const size_t length : {size_t{5}, size_t{2}}) {
    const auto found = std::find_if(std::begin(kRows), std::end(kRows),
                                    [&](const Row& row) { return row.code == sqlstate.substr(0, length); });
    if (found != std::end(kRows)) return found->reaction;
  }
  return {React::kRetry, "an error that Tidemark does not know: it is waited out", true};
}

Reaction reaction_without_code(std::string_view message) {
  const auto says = [message](std::string_view words) { return message.find(words) != message.npos; };
  constexpr std::string_view kFiles =
      "look at sslrootcert, sslcert and sslkey of the uri: each a PEM file that this user may read";
  // A file first: its message may speak of verification as well.
  for (const std::string_view words :
       {"root certificate file", "could not read certificate", "certificate file", "private key file",
        "could not load", "certificate present, but not private key"})
    if (says(words)) return {React::kDenied, kFiles};
  if (says("certificate verify failed") || says("does not match host name") ||
      says("host name must be specified"))
    return {React::kDenied,
            "the server's certificate is not trusted, has expired, or names another host: compare "
            "sslrootcert and the "
            "host of the uri with it"};
  if (says("does not support SSL"))
    return {React::kDenied, "turn TLS on at the server (ssl = on), or choose another sslmode"};
  if (says("SSL") || says("TLS") || says("tls"))
    return {React::kRetry,
            "the TLS handshake fails: does the server accept the certificate of sslcert, and speak TLS on "
            "that port?"};
  return {React::kRetry, "is the server up, and can it be reached from here?"};
}

}  // namespace tidemark::postgres
