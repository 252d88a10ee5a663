// A private PostgreSQL server for tests: its own data in a temporary folder, its own free port on the
// loopback interface, stopped and removed with the object. Nothing on the machine is touched. As root it runs
// as the user `postgres`, because PostgreSQL refuses to run as root.
//
// One thread. A server that can't be started throws: there is nothing a test could do.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/process.h"

namespace tidemark::testing {

class PostgresServer {
 public:
  struct Options {
    bool fsync = false;                           // on: commits as slow and as durable as in production
    std::map<std::string, std::string> settings;  // further parameters of the server
  };

  // Why no server can run here (its programs aren't installed); empty when one can.
  static std::optional<std::string> unavailable();
  // One server for the whole test program, started at the first call. REQUIRES !unavailable().
  static PostgresServer& shared();

  PostgresServer() : PostgresServer(Options{}) {}
  explicit PostgresServer(Options options);
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  int port() const { return port_; }
  // A new, empty database; its URI, for the superuser. `encoding` empty: UTF8.
  std::string create_database(const std::string& encoding = {});
  // The same with a schema of its own in a database that such tests share: made in a moment, where a database costs files
  // and disk.
  std::string create_schema();
  // "postgresql://user@127.0.0.1:port/database".
  std::string uri(const std::string& database, const std::string& user = "tidemark") const;

  // Runs statements and gives back the rows of the last, columns joined by " | ", NULL as "-". Throws on an
  // error, with the server's words.
  static std::vector<std::string> query(const std::string& uri, const std::string& sql);

  // Crashes the server: no shutdown, every connection is cut. start() recovers.
  void crash();
  void start();

 private:
  std::vector<std::string> as_server_user(std::vector<std::string> args) const;
  std::string last_words() const;

  Options options_;
  std::string folder_;
  int port_ = 0;
  int databases_ = 0;
  std::string schemas_uri_;  // the database of create_schema()
  int schemas_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace tidemark::testing
