#include "sim/places.h"

namespace tidemark::sim {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEF";
constexpr size_t kIndexAt = 2;
constexpr size_t kIndexDigits = 8;
constexpr std::string_view kRest = "0000000104";

}  // namespace

std::string id_of(Index index) {
  std::string id = "82";
  for (int shift = 28; shift >= 0; shift -= 4) id.push_back(kDigits[index >> shift & 15]);
  id.append(kRest);
  return id;
}

Index index_of(std::string_view id) {
  if (id.size() != kIndexAt + kIndexDigits + kRest.size()) return 0;
  Index index = 0;
  for (const char digit : id.substr(kIndexAt, kIndexDigits))
    index = index << 4 | static_cast<Index>(digit <= '9' ? digit - '0' : digit - 'A' + 10);
  return index;
}

Position position_of(Index index) {
  bson::Builder token;
  token.append("_data", id_of(index));
  return Position(token.view());
}

}  // namespace tidemark::sim
