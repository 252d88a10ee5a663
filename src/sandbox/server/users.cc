#include "sandbox/server/users.h"

#include <algorithm>

namespace tidemark::sandbox {
namespace {

struct RoleSpec {
  std::string_view name;
  bool reads, writes, monitors;
  bool every_database;  // but `local` and `config`
  bool everything;
};
constexpr RoleSpec kRoles[] = {
    {"read", true, false, false, false, false},
    {"readWrite", true, true, false, false, false},
    {"dbOwner", true, true, false, false, false},
    {"readAnyDatabase", true, false, false, true, false},
    {"readWriteAnyDatabase", true, true, false, true, false},
    {"clusterMonitor", false, false, true, true, false},
    {"clusterAdmin", false, false, true, true, false},
    {"root", true, true, true, true, true},
};

const RoleSpec* find_role(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kRoles), std::end(kRoles), [&](const auto& role) { return role.name == name; });
  return found == std::end(kRoles) ? nullptr : found;
}

std::string key_of(std::string_view db, std::string_view name) {
  return std::string(name) + "@" + std::string(db);
}

bool grants(const Role& held, Privilege privilege, std::string_view db) {
  const RoleSpec* role = find_role(held.name);
  if (role == nullptr) return false;
  if (role->everything) return true;
  if (privilege == Privilege::kMonitor) return role->monitors;
  const bool does =
      privilege == Privilege::kRead ? role->reads : privilege == Privilege::kWrite && role->writes;
  if (!does) return false;
  return role->every_database ? db != "local" && db != "config" : db == held.db;
}

}  // namespace

bool Users::add(User user) {
  MutexLock lock(mutex_);
  user.id = next_id_++;
  std::string key = key_of(user.db, user.name);
  return users_.emplace(std::move(key), std::move(user)).second;
}

bool Users::drop(std::string_view db, std::string_view name) {
  MutexLock lock(mutex_);
  return users_.erase(key_of(db, name)) == 1;
}

bool Users::change(std::string_view db, std::string_view name, std::optional<std::string> password,
                   std::optional<std::vector<Role>> roles) {
  MutexLock lock(mutex_);
  const auto found = users_.find(key_of(db, name));
  if (found == users_.end()) return false;
  if (password) found->second.password = *std::move(password);
  if (roles) found->second.roles = *std::move(roles);
  return true;
}

std::optional<User> Users::find(std::string_view db, std::string_view name) const {
  MutexLock lock(mutex_);
  const auto found = users_.find(key_of(db, name));
  if (found == users_.end()) return std::nullopt;
  return found->second;
}

bool is_known_role(std::string_view role) { return find_role(role) != nullptr; }

bool may(const User& user, Privilege privilege, std::string_view db) {
  return std::any_of(user.roles.begin(), user.roles.end(),
                     [&](const Role& role) { return grants(role, privilege, db); });
}

}  // namespace tidemark::sandbox
