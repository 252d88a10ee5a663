// MongoDB's total order over BSON values, and a byte string that carries the same order.
//
// Values of different types are ordered by type bracket (MinKey, null, numbers, strings, objects, arrays,
// binaries, ObjectIds, booleans, dates, timestamps, regular expressions, code, MaxKey); all numeric types
// share one bracket and compare exactly, NaN below every number. Pure functions: any thread may call them.
#pragma once

#include <string>

#include "bson/document.h"

namespace tidemark::bson {

// The bracket of a type; equal brackets are compared by value, others by the bracket alone.
int canonical_type(bson_type_t type);

// < 0, 0 or > 0. Field names of `a` and `b` themselves take no part; those inside documents do.
int compare(const Element& a, const Element& b);
// Field by field: bracket, then name, then value; a document that is a prefix of another is the lesser.
int compare_documents(View a, View b);

// Appends bytes such that for all values: key(a) < key(b) exactly when compare(a, b) < 0, and equal exactly
// when compare(a, b) == 0. No key is a proper prefix of another, so keys may be concatenated.
void canonical_key(const Element& value, std::string& out);
std::string canonical_key(const Element& value);
// The key of null, which is also what a missing field sorts as.
void canonical_key_of_null(std::string& out);

}  // namespace tidemark::bson
