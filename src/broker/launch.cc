#include "broker/launch.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace tidemark::broker {
namespace {

namespace fs = std::filesystem;

// Where the installed broker's applications are: Debian keeps each version in a folder of its own.
std::string applications_folder() {
  std::error_code ignored;
  std::string newest;
  for (const auto& entry : fs::directory_iterator("/usr/lib/rabbitmq/lib", ignored)) {
    const std::string folder = (entry.path() / "plugins").string();
    if (fs::is_directory(folder, ignored) && folder > newest) newest = folder;
  }
  return newest;
}

// An ordinary user's PATH may lack the folders of the system's programs; Erlang's is an ordinary one.
std::string find_erlang() {
  const char* path = std::getenv("PATH");
  std::string folders = path != nullptr ? path : "";
  folders += ":/usr/bin:/usr/local/bin:/usr/sbin:/usr/lib/erlang/bin";
  std::error_code ignored;
  for (size_t from = 0; from <= folders.size();) {
    const size_t end = std::min(folders.find(':', from), folders.size());
    const std::string program = folders.substr(from, end - from) + "/erl";
    if (end > from && fs::is_regular_file(program, ignored)) return program;
    from = end + 1;
  }
  return {};
}

bool is_plugin(const std::string& name) {
  if (name.starts_with("rabbitmq_")) return !name.starts_with("rabbitmq_prelaunch");
  for (const char* of_plugins : {"cow", "gun-", "jose-", "eetcd-", "prometheus-"})
    if (name.starts_with(of_plugins)) return true;
  return false;
}

// The server looks through every application it can see when it starts. Without the plugins, of which none is enabled,
// a start takes half the time.
Status link_applications(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::create_directories(to, error);
  for (const auto& entry : fs::directory_iterator(from, error)) {
    const std::string name = entry.path().filename().string();
    std::error_code exists;
    if (!is_plugin(name)) fs::create_directory_symlink(entry.path(), to + "/" + name, exists);
  }
  if (error) return fail(React::kConfig, "can't prepare the broker's folder " + to + ": " + error.message());
  return {};
}

std::string config_of(const Ports& ports, const std::map<std::string, std::string>& settings) {
  std::map<std::string, std::string> lines = {{"listeners.tcp.1", "127.0.0.1:" + std::to_string(ports.amqp)},
                                              {"log.console", "false"},
                                              {"disk_free_limit.absolute", "1MB"}};
  for (const auto& [name, value] : settings) lines[name] = value;
  std::string config;
  for (const auto& [name, value] : lines) config.append(name).append(" = ").append(value) += '\n';
  return config;
}

}  // namespace

Status installed() {
  if (!applications_folder().empty() && !find_erlang().empty()) return {};
  return fail(React::kConfig, "no RabbitMQ is installed",
              "`make deps` installs it (Debian: apt-get install rabbitmq-server); its service needn't run");
}

Result<Launch> prepare(FileSystem& files, const std::string& folder, const Ports& ports,
                       const std::map<std::string, std::string>& settings) {
  std::error_code error;
  for (const char* name : {"/user", "/log", "/data"}) fs::create_directories(folder + name, error);
  if (error) return fail(React::kConfig, "can't create " + folder + ": " + error.message());
  TIDEMARK_TRY(link_applications(applications_folder(), folder + "/applications"));
  TIDEMARK_TRY(files.replace_file(folder + "/rabbitmq.conf", config_of(ports, settings)));
  TIDEMARK_TRY(files.replace_file(folder + "/enabled_plugins", "[].\n"));
  Launch launch;
  // The same node name again after a restart, or it would look for data elsewhere.
  launch.argv = {find_erlang(), "-noinput", "-boot", "start_sasl", "-s", "rabbit", "boot"};
  for (const char* flag :
       {"+W", "w", "+B", "i", "+S", "2:2", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"})
    launch.argv.emplace_back(flag);
  for (const char* flag :
       {"-syslog", "logger", "[]", "-syslog", "syslog_error_logger", "false", "-kernel",
        "prevent_overlapping_partitions", "false", "-setcookie", "tidemark", "-name", kNode})
    launch.argv.emplace_back(flag);
  launch.argv.insert(launch.argv.end(), {"-erl_epmd_port", std::to_string(ports.distribution)});
  launch.env = {
      {"HOME", folder + "/user"},
      {"RABBITMQ_NODENAME", kNode},
      {"RABBITMQ_USE_LONGNAME", "true"},
      {"RABBITMQ_CONFIG_FILE", folder + "/rabbitmq.conf"},
      // What doesn't exist, so that /etc/rabbitmq isn't read.
      {"RABBITMQ_ADVANCED_CONFIG_FILE", folder + "/none"},
      {"RABBITMQ_CONF_ENV_FILE", folder + "/none"},
      {"RABBITMQ_GENERATED_CONFIG_DIR", folder + "/config"},
      {"RABBITMQ_MNESIA_BASE", folder + "/data"},
      {"RABBITMQ_MNESIA_DIR", folder + "/data/node"},
      {"RABBITMQ_LOG_BASE", folder + "/log"},
      {"RABBITMQ_PID_FILE", folder + "/pid"},
      {"RABBITMQ_ENABLED_PLUGINS_FILE", folder + "/enabled_plugins"},
      {"RABBITMQ_PLUGINS_DIR", folder + "/applications"},
      {"ERL_LIBS", folder + "/applications"},
      // The node's port is given, so that it asks no epmd; port 1 refuses whoever asks all the same.
      {"ERL_AFLAGS", "-start_epmd false"},
      {"ERL_EPMD_PORT", "1"},
      {"ERL_CRASH_DUMP_SECONDS", "0"}};
  return launch;
}

}  // namespace tidemark::broker
