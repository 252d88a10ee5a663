#include "base/tls_files.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark {
namespace {

using ::testing::HasSubstr;

class TlsFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("openssl version >/dev/null 2>&1") != 0) GTEST_SKIP() << "openssl isn't installed";
    char pattern[] = "/tmp/tidemark-tls-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder_ = pattern;
    for (const char* name : {"one", "two"})
      shell(
          "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + std::string(name) +
          " -keyout " + file(std::string(name) + ".key") + " -out " + file(std::string(name) + ".pem"));
    shell("pkey -aes128 -passout pass:secret -in " + file("one.key") + " -out " + file("locked.key"));
    std::ofstream(file("prose.pem")) << "certainly not a certificate";
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  static void shell(const std::string& arguments) {
    ASSERT_EQ(std::system(("openssl " + arguments + " >/dev/null 2>&1").c_str()), 0) << arguments;
  }
  std::string file(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
};

TEST_F(TlsFiles, GoodOnesPass) {
  EXPECT_TRUE(check_ca_file(file("one.pem")));
  EXPECT_TRUE(check_certificate_files(file("one.pem"), file("one.key")));
  EXPECT_TRUE(check_certificate_files(file("one.pem"), file("locked.key"), "secret"));
}

TEST_F(TlsFiles, ABadOneIsNamedWithTheReason) {
  struct Case {
    Status status;
    std::string file;
    std::string reason;
  };
  const Case cases[] = {
      {check_ca_file(file("absent.pem")), "absent.pem", "No such file"},
      {check_ca_file(file("prose.pem")), "prose.pem", "no start line"},
      {check_ca_file(file("one.key")), "one.key", "no start line"},
      {check_certificate_files(file("absent.pem"), file("one.key")), "absent.pem", "No such file"},
      {check_certificate_files(file("one.pem"), file("absent.key")), "absent.key", "No such file"},
      {check_certificate_files(file("one.pem"), file("prose.pem")), "prose.pem", "no private key"},
      {check_certificate_files(file("one.pem"), file("two.key")), "two.key", "doesn't belong"},
      {check_certificate_files(file("one.pem"), file("locked.key"), "wrong"), "locked.key", "password"},
      {check_certificate_files(file("one.pem"), file("locked.key")), "locked.key", "password"},
  };
  for (const Case& each : cases) {
    ASSERT_FALSE(each.status) << each.file;
    EXPECT_EQ(each.status.error().react, React::kConfig);
    EXPECT_THAT(each.status.error().what, HasSubstr(each.file));
    EXPECT_THAT(each.status.error().describe(), HasSubstr(each.reason));
  }
}

}  // namespace
}  // namespace tidemark
