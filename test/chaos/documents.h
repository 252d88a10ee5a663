// The documents of the writer: ids and values as users have them, and as no driver makes them and every server keeps them.
// Pure.
#pragma once

#include <cstdint>

#include "bson/document.h"

namespace tidemark::chaos {

inline constexpr uint64_t kSlots = 22;
// Numbers that are one _id to a server, each in this many types.
inline constexpr int kForms = 4;

// {_id: ...} of a slot; a new generation is a new document. `form` chooses the type of the number where the slot has_forms().
bson::Document id_of(uint64_t slot, int generation, int form);
bool has_forms(uint64_t slot);
// Whether the document of write `n` has a field name twice.
bool doubles_a_name(uint64_t slot, int64_t n);

// The whole document of write `n`, `id` as id_of() made it. `literals`: servers before 5.0 take names that begin with `$`
// from inserts alone.
bson::Document document_of(const bson::Document& id, uint64_t slot, int64_t n, bool literals);

}  // namespace tidemark::chaos
