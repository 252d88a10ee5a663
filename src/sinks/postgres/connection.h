// One PostgreSQL session: connects, runs single statements and pipelines of them, and turns what goes wrong into Errors
// that say how to react. Every wait ends at a stop or a timeout. One thread; owned by a sink lane or a position store.
//
// A lost connection leaves the outcome of what was sent unknown: lost() then is true and the connection is good for
// nothing but destruction. Whoever sent a COMMIT reads back what became of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "env/clock.h"
#include "sinks/postgres/copy_reader.h"

struct pg_conn;
struct pg_result;

namespace tidemark::postgres {

struct ConnectionOptions {
  std::string uri;  // secret: never part of a message
  std::string application;
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds statement_timeout{60'000};
  std::chrono::milliseconds takeover_timeout{5'000};  // of a lease that another session holds
};

// One parameter of a statement. Text unless `binary`; `type` is the OID of a built-in type, or 0 to let the server infer.
struct Param {
  std::string_view bytes;
  bool binary = false;
  bool null = false;
  uint32_t type = 0;
};

struct Rows {
  std::vector<std::vector<std::string>> rows;  // NULL is the empty string
  bool empty() const { return rows.empty(); }
};

// What became of a pipeline. Without `error` everything ran.
struct PipelineEnd {
  std::optional<Error> error;
  std::string sqlstate;
  size_t statement = 0;  // the one that failed, counted from 0
};

class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const ConnectionOptions& options, Clock& clock,
                                                  std::stop_token stop);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // One statement (with parameters, as text) or several (without), by themselves.
  Result<Rows> query(const std::string& sql, std::span<const std::string> params, std::stop_token stop);
  Result<Rows> query(const std::string& sql, std::stop_token stop) { return query(sql, {}, std::move(stop)); }

  // One COPY ... TO STDOUT (FORMAT binary), whose rows are handed out while the server makes the next ones. An error of
  // `visit` ends it, and the connection is lost then.
  Status copy_out(const std::string& sql, const CopyReader::Visit& visit, std::stop_token stop);

  // A pipeline: any number of add(), then finish(). Statements run in order, and none after the first that fails; each is
  // prepared once per connection. An error of add() means that the connection is lost, and there is no finish() then.
  void start_pipeline();
  Status add(const std::string& sql, std::span<const Param> params, std::stop_token stop);
  size_t pipeline_size() const { return statements_; }
  PipelineEnd finish(std::stop_token stop);

  bool lost() const { return lost_; }
  // Of the last error of query().
  const std::string& sqlstate() const { return sqlstate_; }
  int backend_pid() const;
  // "postgres 127.0.0.1:5432/shop", for messages.
  const std::string& describe() const { return name_; }

 private:
  struct Pending {
    bool prepare = false;
    std::string sql;
  };
  struct ResultDeleter {
    void operator()(pg_result* result) const;
  };
  using ResultPtr = std::unique_ptr<pg_result, ResultDeleter>;

  Connection(ConnectionOptions options, Clock& clock);
  Status connect(std::stop_token stop);
  Error connect_error();
  Status set_up_session(std::stop_token stop);
  Status wait_for_socket(bool for_write, std::chrono::milliseconds timeout, std::stop_token stop);
  Status flush(std::stop_token stop);
  Result<ResultPtr> next_result(std::stop_token stop);
  Status take_copy(const CopyReader::Visit& visit, std::stop_token stop);
  Status wait_for_answer(std::stop_token stop);
  void cancel_running(std::stop_token stop);
  Error result_error(const pg_result* result, std::stop_token stop);
  Error lost_error(const std::string& what);
  void take_result(const Pending& pending, const pg_result* result, size_t statement, std::stop_token stop,
                   PipelineEnd& end);

  ConnectionOptions options_;
  Clock& clock_;
  std::string name_ = "postgres";
  pg_conn* handle_ = nullptr;
  int wake_fd_ = -1;  // readable once a stop was requested
  bool lost_ = false;
  bool cancel_sent_ = false;
  std::string sqlstate_;

  std::map<std::string, std::string> prepared_;  // SQL to the name of its prepared statement
  std::vector<Pending> pending_;                 // of the pipeline under way
  size_t statements_ = 0;
  uint64_t next_name_ = 0;
  // Reused by add().
  std::vector<const char*> values_;
  std::vector<int> lengths_, formats_;
  std::vector<uint32_t> types_;
};

// "name" in double quotes.
std::string quoted(std::string_view name);
// True when `uri` is one that libpq can read.
bool is_connection_string(const std::string& uri);
// kConfig that names the file and the reason when a certificate that the uri names can't be used (the key may be in forms of
// its own: that is left to libpq). REQUIRES is_connection_string().
Status check_tls_files(const std::string& uri);

}  // namespace tidemark::postgres
