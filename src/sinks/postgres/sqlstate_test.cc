#include "sinks/postgres/sqlstate.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "sinks/postgres/connection.h"

namespace tidemark::postgres {
namespace {

// https://www.postgresql.org/docs/15/errcodes-appendix.html: its classes, with codes of their own and without.
TEST(PostgresSqlstate, NoSqlstateButTheDocumentedOnesEverEndsAPipeline) {
  const std::set<std::string> ends = {"28", "42", "XX001", "XX002", "42501", "3D000", "3F000"};
  const std::set<std::string> rejects = {"22", "23", "44", "54", "P0"};
  for (const char* klass :
       {"00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "20", "21", "22",
        "23", "24", "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F",
        "40", "42", "44", "53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX", "ZZ"}) {
    for (const char* rest :
         {"000", "001", "002", "501", "P01", "P02", "P03", "P04", "P05", "100", "200", "300", "400"}) {
      const std::string state = std::string(klass) + rest;
      const auto reaction = reaction_to(state);
      if (ends.contains(klass) || ends.contains(state)) continue;
      if (rejects.contains(klass))
        EXPECT_EQ(reaction.react, React::kReject) << state;
      else
        EXPECT_EQ(reaction.react, React::kRetry) << state;
      EXPECT_EQ(reaction.unknown, reaction.hint.find("does not know") != std::string_view::npos) << state;
    }
  }
  EXPECT_TRUE(reaction_to("ZZ000").unknown);
}

TEST(PostgresUri, NamesTheCertificateThatCanNotBeUsed) {
  for (const char* uri :
       {"postgresql://h/d?sslmode=verify-full&sslrootcert=/no/such/ca.pem",
        "postgresql://h/d?sslcert=/no/such/client.pem", "host=h sslrootcert=/etc/hostname"}) {
    const Status refused = check_tls_files(uri);
    ASSERT_FALSE(refused) << uri;
    EXPECT_EQ(refused.error().react, React::kConfig);
    EXPECT_NE(refused.error().what.find("ssl"), std::string::npos) << refused.error().what;
    EXPECT_NE(refused.error().what.find(".pem") != std::string::npos,
              refused.error().what.find("hostname") != std::string::npos)
        << refused.error().what;
  }
  EXPECT_TRUE(check_tls_files("postgresql://u:p@h/d"));
}

TEST(PostgresSqlstate, TellsAFileThatIsMissingFromAServerThatIsNotTrustedAndFromTheNetwork) {
  for (const char* file :
       {"connection to server at \"h\" (10.0.0.1), port 5432 failed: root certificate file \"/no/ca.pem\" "
        "does not exist",
        "could not open certificate file \"/no/client.pem\": No such file or directory",
        "could not read root certificate file \"/etc/hostname\": no certificate or crl found",
        "private key file \"/k.pem\" has group or world access; file must have permissions u=rw (0600) or "
        "less",
        "could not load private key file \"/k.pem\": bad base64 decode"}) {
    EXPECT_EQ(reaction_without_code(file).react, React::kDenied) << file;
    EXPECT_NE(reaction_without_code(file).hint.find("sslrootcert"), std::string_view::npos) << file;
  }
  for (const char* untrusted : {"SSL error: certificate verify failed",
                                "server certificate for \"db1\" does not match host name \"10.0.0.1\""}) {
    EXPECT_EQ(reaction_without_code(untrusted).react, React::kDenied) << untrusted;
    EXPECT_NE(reaction_without_code(untrusted).hint.find("not trusted"), std::string_view::npos) << untrusted;
  }
  EXPECT_EQ(reaction_without_code("server does not support SSL, but SSL was required").react, React::kDenied);
  EXPECT_EQ(reaction_without_code("SSL error: tlsv1 alert unknown ca").react, React::kRetry);
  EXPECT_NE(reaction_without_code("SSL error: tlsv1 alert unknown ca").hint.find("sslcert"),
            std::string_view::npos);
  EXPECT_EQ(reaction_without_code("Connection refused").react, React::kRetry);
}

}  // namespace
}  // namespace tidemark::postgres
