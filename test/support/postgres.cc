#include "support/postgres.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

namespace tidemark::testing {
namespace {

constexpr const char* kServerUser = "postgres";

// Debian keeps the server's programs off the PATH.
std::string bin_folder() {
  std::error_code ignored;
  std::string newest;
  int newest_version = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    const int version = std::atoi(entry.path().filename().c_str());
    if (version > newest_version && std::filesystem::exists(entry.path() / "bin" / "initdb", ignored)) {
      newest = (entry.path() / "bin").string();
      newest_version = version;
    }
  }
  return newest;
}

[[noreturn]] void give_up(const std::string& what) {
  throw std::runtime_error("PostgreSQL for tests: " + what);
}

}  // namespace

std::optional<std::string> PostgresServer::unavailable() {
  if (bin_folder().empty()) return "no PostgreSQL server is installed (Debian: postgresql)";
  if (::geteuid() == 0 && ::getpwnam(kServerUser) == nullptr)
    return "PostgreSQL refuses to run as root and there is no user `postgres`";
  return std::nullopt;
}

PostgresServer& PostgresServer::shared() {
  static PostgresServer server;
  return server;
}

PostgresServer::PostgresServer(Options options) : options_(std::move(options)) {
  if (auto reason = unavailable()) give_up(*reason);
  folder_ = (std::filesystem::temp_directory_path() / "tidemark-postgres-XXXXXX").string();
  if (::mkdtemp(folder_.data()) == nullptr) give_up("mkdtemp failed for " + folder_);
  if (::geteuid() == 0) {
    const struct passwd* user = ::getpwnam(kServerUser);
    if (::chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0) give_up("chown failed for " + folder_);
  }
  const auto made = run(as_server_user({bin_folder() + "/initdb", "--pgdata", folder_ + "/data", "--username",
                                        "tidemark", "--auth", "trust", "--encoding", "UTF8", "--locale",
                                        "C.UTF-8", "--no-sync", "--no-instructions"}),
                        {.env = {}, .folder = folder_}, Process::Milliseconds(60'000));
  if (!made.status || made.status->code != 0) give_up("initdb failed: " + made.output + made.error_output);
  start();
}

PostgresServer::~PostgresServer() {
  if (process_) {
    process_->signal(SIGINT);
    process_->wait();
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

// Dropping root's rights clears the wish to die with the parent, so setpriv makes it anew.
std::vector<std::string> PostgresServer::as_server_user(std::vector<std::string> args) const {
  if (::geteuid() != 0) return args;
  std::vector<std::string> all = {"setpriv",       "--reuid",     kServerUser, "--regid", kServerUser,
                                  "--init-groups", "--pdeathsig", "QUIT",      "--"};
  all.insert(all.end(), args.begin(), args.end());
  return all;
}

void PostgresServer::start() {
  if (port_ == 0) port_ = free_ports();
  std::vector<std::string> args = {bin_folder() + "/postgres", "-D", folder_ + "/data", "-p",
                                   std::to_string(port_)};
  std::map<std::string, std::string> settings = {{"listen_addresses", "127.0.0.1"},
                                                 {"unix_socket_directories", folder_},
                                                 {"fsync", options_.fsync ? "on" : "off"},
                                                 {"max_connections", "60"}};
  for (const auto& [name, value] : options_.settings) settings[name] = value;
  for (const auto& [name, value] : settings) {
    args.push_back("-c");
    args.push_back(name + "=" + value);
  }
  process_ = std::make_unique<Process>(as_server_user(std::move(args)),
                                       Process::Options{.env = {}, .folder = folder_});
  const std::string target = uri("postgres");
  const bool up = eventually([&] { return !process_->running() || PQping(target.c_str()) == PQPING_OK; });
  if (!up || !process_->running()) give_up("the server doesn't start: " + last_words());
}

void PostgresServer::crash() {
  // Killing the first process alone would leave its children for a moment; SIGQUIT ends all of them without a
  // shutdown, which to the data is the same as a crash.
  process_->signal(SIGQUIT);
  process_->wait();
  process_.reset();
}

std::string PostgresServer::last_words() const {
  const std::string text = process_ ? process_->error_output() : "";
  return text.size() > 2000 ? text.substr(text.size() - 2000) : text;
}

std::string PostgresServer::uri(const std::string& database, const std::string& user) const {
  return "postgresql://" + user + "@127.0.0.1:" + std::to_string(port_) + "/" + database;
}

std::string PostgresServer::create_database(const std::string& encoding) {
  const std::string name = "test_" + std::to_string(++databases_);
  const std::string other = " TEMPLATE template0 LOCALE 'C' ENCODING '" + encoding + "'";
  query(uri("postgres"), "CREATE DATABASE " + name + (encoding.empty() ? "" : other));
  return uri(name);
}

std::string PostgresServer::create_schema() {
  if (schemas_uri_.empty()) schemas_uri_ = create_database();
  const std::string name = "test_" + std::to_string(++schemas_);
  query(schemas_uri_, "CREATE SCHEMA " + name);
  return schemas_uri_ + "?options=-csearch_path%3D" + name;
}

std::vector<std::string> PostgresServer::query(const std::string& uri, const std::string& sql) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(uri.c_str()), &PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) give_up(PQerrorMessage(connection.get()));
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()), &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    give_up(sql + ": " + PQerrorMessage(connection.get()));
  std::vector<std::string> rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    std::string line;
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      if (column > 0) line += " | ";
      line += PQgetisnull(result.get(), row, column) != 0 ? "-" : PQgetvalue(result.get(), row, column);
    }
    rows.push_back(std::move(line));
  }
  return rows;
}

}  // namespace tidemark::testing
