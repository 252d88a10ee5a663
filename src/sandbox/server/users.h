// Who may come in, and what they may do: the users of the set, made by --user (a root) and by createUser, with the server's
// built-in roles as far as they tell reading, writing and monitoring apart. Shared by all members; gone with the process.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"

namespace tidemark::sandbox {

struct Role {
  std::string name;
  std::string db;  // where it is held
};

struct User {
  std::string name;
  std::string db;
  std::string password;
  std::vector<Role> roles;
  uint64_t id =
      0;  // another one each time a user of this name is made: who was dropped is out, whoever comes back
};

enum class Privilege : uint8_t { kRead, kWrite, kMonitor, kEverything };
// Every database but `local` and `config`: what a stream over the deployment reads.
inline constexpr std::string_view kAnyDatabase = "*";

class Users {
 public:
  // False when there is one of that name already.
  bool add(User user) EXCLUDES(mutex_);
  bool drop(std::string_view db, std::string_view name) EXCLUDES(mutex_);
  // What isn't given stays. False when there is no such user.
  bool change(std::string_view db, std::string_view name, std::optional<std::string> password,
              std::optional<std::vector<Role>> roles) EXCLUDES(mutex_);
  std::optional<User> find(std::string_view db, std::string_view name) const EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  std::map<std::string, User, std::less<>> users_ GUARDED_BY(mutex_);  // by "name@db"
  uint64_t next_id_ GUARDED_BY(mutex_) = 1;
};

bool is_known_role(std::string_view role);
bool may(const User& user, Privilege privilege, std::string_view db);

}  // namespace tidemark::sandbox
