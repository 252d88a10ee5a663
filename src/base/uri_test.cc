#include "base/uri.h"

#include <vector>

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(RedactUri, HidesThePasswordAndKeepsTheRest) {
  EXPECT_EQ(redact_uri("mongodb://app:s3cret@db1:27017,db2/?replicaSet=rs0"),
            "mongodb://app:***@db1:27017,db2/?replicaSet=rs0");
  EXPECT_EQ(redact_uri("postgres://app:s3cret@db/shop"), "postgres://app:***@db/shop");
  EXPECT_EQ(redact_uri("amqp://app:a%2Fb@db/%2f"), "amqp://app:***@db/%2f");
  EXPECT_EQ(redact_uri("postgres://app:a:b@[::1]:5432/shop"), "postgres://app:***@[::1]:5432/shop");
}

TEST(RedactUri, HidesPasswordsInParameters) {
  EXPECT_EQ(redact_uri("postgres://db/shop?user=app&password=s3cret&sslmode=require"),
            "postgres://db/shop?user=app&password=***&sslmode=require");
  EXPECT_EQ(redact_uri("mongodb://db/?tlsCertificateKeyFilePassword=s3cret&w=1"),
            "mongodb://db/?tlsCertificateKeyFilePassword=***&w=1");
  EXPECT_EQ(redact_uri("host=db password=s3cret user=app"), "host=db password=*** user=app");
  EXPECT_EQ(redact_uri("host = db  password = 's3 cr\\'et' user=app"), "host=db password=*** user=app");
  EXPECT_EQ(redact_uri("host=db PASSWORD=s3\\ cret"), "host=db PASSWORD=***");
}

TEST(RedactUri, HidesTokensAndThePathsOfWebHooks) {
  EXPECT_EQ(redact_uri("https://s3cret@hooks.example/a"), "https://***@hooks.example/***");
  EXPECT_EQ(redact_uri("https://s3cret:x@hooks.example/"), "https://***@hooks.example/");
  EXPECT_EQ(redact_uri("https://hooks.example/services/T0/s3cret"), "https://hooks.example/***");
  EXPECT_EQ(redact_uri("amqp://s3cret@db/"), "amqp://***@db/");
}

TEST(RedactUri, LeavesAUriWithoutSecretsAlone) {
  EXPECT_EQ(redact_uri("mongodb://db1:27017,db2:27017/shop?replicaSet=rs0"),
            "mongodb://db1:27017,db2:27017/shop?replicaSet=rs0");
}

// However a password is written, also where it breaks the URI.
TEST(RedactUri, ShowsNothingOfAPasswordThatIsWrittenWrong) {
  for (const char* password :
       {"s3cret",   "a:s3cret",   "s3cret:a", "a@s3cret", "s3cret@a",  "a/s3cret",   "s3cret/a",
        "a?s3cret", "a?b=s3cret", "a#s3cret", "a%s3cret", "12/s3cret", "12?s3cret",  "a b s3cret",
        "a,s3cret", "a]s3cret",   "a[s3cret", "a&s3cret", "'s3cret'",  "\"s3cret\"", "a\ns3cret"}) {
    for (const char* scheme :
         {"mongodb", "mongodb+srv", "postgres", "postgresql", "amqp", "amqps", "http", "https", "x"}) {
      for (const char* behind : {"@h/", "@h", "@h:1/d?x=y", "@", "", "@h1,h2/"}) {
        const std::string uri = std::string(scheme) + "://u:" + password + behind;
        // Without an @ behind it, that is a host and a database of such names.
        if (std::string(behind).empty() && !uri_flaw(uri)) continue;
        EXPECT_EQ(redact_uri(uri).find("s3cret"), std::string::npos)
            << uri << " is shown as " << redact_uri(uri);
      }
    }
  }
  for (const char* text :
       {"s3cret", "u:s3cret@h", "host=h password=s3cret more", "host=h password='s3cret",
        "mongodb//u:s3cret@h", "mongo db://u:s3cret@h/", "password s3cret", "://u:s3cret@h"})
    EXPECT_EQ(redact_uri(text).find("s3cret"), std::string::npos)
        << text << " is shown as " << redact_uri(text);
}

TEST(UriFlaw, IsWhatAnotherParserWouldGuessAt) {
  for (const char* uri :
       {"mongodb://u:a:b@h/", "mongodb://u:a@b@h/", "mongodb://u:a/b@h/", "mongodb://u:a%b@h/",
        "mongodb://u:a", "mongodb://u:12/b@h/", "postgres://u:a@b@h/d", "postgres://u:a/b@h/d",
        "amqp://u:12/b@h/", "amqp://u:b/c@h", "https://u:a/b@h"})
    EXPECT_TRUE(uri_flaw(uri)) << uri;
  for (const char* uri : {"mongodb://u:a%3Ab@h1:1,h2/?w=1", "mongodb://h", "mongodb+srv://u:p@h/d",
                          "mongodb://%2Ftmp%2Fs.sock/", "postgres://u:a:b@h/d", "postgres:///d?host=/run",
                          "postgres://[::1]:5432/d", "amqp://u:a@b@h/%2f", "amqp://u:p@h:5672/v",
                          "https://h/a?b", "host=h password=a@b", ""})
    EXPECT_FALSE(uri_flaw(uri)) << uri << ": " << *uri_flaw(uri);
}

TEST(WithoutQuotations, ShowsTheWordsAlone) {
  EXPECT_EQ(without_quotations("expected 'true', saw 's3cret'"), "expected '...', saw '...'");
  EXPECT_EQ(without_quotations("unexpected '=' near \"it's s3cret\""), "unexpected '=' near \"...\"");
  EXPECT_EQ(without_quotations("Failed to parse number 's3cret"), "Failed to parse number '...");
  EXPECT_EQ(without_quotations("plain"), "plain");
}

TEST(WithoutLogins, ShowsAMessageWithoutThePasswordsThatItQuotes) {
  EXPECT_EQ(without_logins("\"http://u:s3cret@h:1\" is no address"), "\"http://***@h:1\" is no address");
  EXPECT_EQ(without_logins("`mongodb://u:s3cret@h` is no name"), "`mongodb://u:***@h` is no name");
  EXPECT_EQ(without_logins("it's \"postgres://u:s3 cret@h/d\", isn't it?"),
            "it's \"postgres://u:***@h/d\", isn't it?");
  EXPECT_EQ(without_logins("see https://a.example, ann@x says"), "see https://a.example, ann@x says");
  EXPECT_EQ(without_logins("plain 'text' \"here\""), "plain 'text' \"here\"");
  EXPECT_EQ(without_logins(""), "");
  for (const char* text :
       {"can't open mongodb://u:s3cret@h: no such file", "\"amqp://u:s3cret@h", "'https://s3cret@h/x' x",
        "a \"b\" \"mongodb://u:s3cret@h\" 'c' mongodb://u:s3cret@h"})
    EXPECT_EQ(without_logins(text).find("s3cret"), std::string::npos) << without_logins(text);
}

}  // namespace
}  // namespace tidemark
