// The field table as the parser sees it. Internal to query/language.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "query/language/query.h"

namespace arch::query::internal {

enum class Value : uint8_t {
  kText,
  kPeople,
  kDate,
  kBefore,
  kAfter,
  kHas,
  kIs,
  kId,
  kSize,
  kLarger,
  kSmaller,
  kNumber,
  kIn,
  kType,
  kLabel,
  kLanguage,
  kHeader
};

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

/// Code of a language by code or by its French or English name; empty when it is none of those.
std::string_view find_language(std::string_view folded);

enum class HasValue : uint8_t { kKnown, kReserved, kUnknown };
/// `canonical` is set for kKnown.
HasValue find_has(std::string_view folded, std::string_view* canonical);

/// Bytes of "1234", "500K", "10Mo", "1.5G"; units are powers of 1024. Nothing when it is no size or above 2^60.
std::optional<uint64_t> parse_size(std::string_view folded);
/// English name of a direction, empty when it is none.
std::string_view find_direction(std::string_view folded);

}  // namespace arch::query::internal
