// The field table as the parser sees it. Internal to query/language.
#pragma once

#include <string>
#include <string_view>

#include "query/language/query.h"

namespace arch::query::internal {

enum class Value : uint8_t { kText, kPeople, kDate, kBefore, kAfter, kHas, kIs, kId };

struct Field {
  FieldInfo info;
  Value value;
};

/// By name or alias, as text::fold gives it; nullptr when there is none.
const Field* find_field(std::string_view folded);
/// An operator of the language that this version cannot answer.
bool is_reserved(std::string_view folded);
/// The operator that was probably meant, empty when none is near.
std::string_view nearest_field(std::string_view folded);

enum class HasValue : uint8_t { kKnown, kReserved, kUnknown };
/// `canonical` is set for kKnown.
HasValue find_has(std::string_view folded, std::string_view* canonical);

}  // namespace arch::query::internal
