// Numbers of spreadsheets as a person sees them, near enough to be found: what xlsx and xls share. Internal to query/document.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace arch::document::internal {

enum class NumberKind : uint8_t { kPlain, kPercent, kDate, kTime, kDateTime };

/// Of a format's code ("dd/mm/yyyy", "0.00%").
NumberKind kind_of_format(std::string_view code);
/// Of the formats that have a number instead of a code (ECMA-376 part 1, 18.8.30).
NumberKind kind_of_builtin(unsigned id);

/// A plain number without trailing noise; a percentage with its sign; a date both as 2024-05-12 and 12/05/2024, since a mail's reader
/// types it either way; date1904 is the workbook's other calendar.
std::string number_text(double value, NumberKind kind, bool date1904);

}  // namespace arch::document::internal
