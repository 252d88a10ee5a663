// Which deployment a stored position came from, told by whatever the user may see of it. A stream opened by time succeeds on
// any deployment, so that a position of set A would silently go on in set B of the same name.
//
// One line of text, SourceHealth::deployment, kept beside every position:
//   rs0/65f0c1... key=7409... collections=0a1b2c3d4e5f6071,...
// The part before the first space is the deployment's name for people. The replica set's own id (behind the slash) decides
// where both sides have it; it takes the grant of `clusterMonitor`. The rest is what any user sees. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

struct Deployment {
  std::string name;  // "rs0", "sharded", "rabbitmq:host:5672"
  std::string id;    // of the replica set or the cluster; empty where it may not be asked for
  // The number of the key that the deployment signs its clock with; empty without authentication. Never two deployments' at
  // once, but changed every three months.
  std::string key;
  // Identities of some of its collections, shortened. A collection that is dropped takes its own with it.
  std::vector<std::string> collections;

  std::string text() const;
  // Never fails: text of an older form has a name and perhaps an id.
  static Deployment parse(std::string_view text);
};

enum class Sameness {
  kSame,
  kOther,
  kUntold,  // the names agree, and nothing else can be compared
};

// `stored` is what was kept with a position, `now` what the source answers to today.
Sameness compare_deployments(std::string_view stored, std::string_view now);

// True unless they are known to be two.
bool same_deployment(std::string_view stored, std::string_view now);

// The part for people.
std::string_view deployment_name(std::string_view text);

// For people, of kUntold.
inline constexpr std::string_view kUntoldOrigin =
    "whether the stored position came from this deployment can't be told: its name is the same, and nothing "
    "else may be "
    "read; grant the user the role `clusterMonitor`";

// REQUIRES kOther. "deployment rs0/1, but the source is rs0/2", with the reason where the names alone don't tell it.
std::string difference_of(std::string_view stored, std::string_view now);

}  // namespace tidemark
