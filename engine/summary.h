// What the catalog keeps of a message's content: made from its bytes by the same code in normal work and in a rebuild.
#pragma once

#include <string_view>

#include "engine/archive.h"

namespace arch {

struct Summary {
  MessageInfo info;                     ///< number, digest, size, thread and deliveries are left to the caller
  std::vector<std::string> references;  ///< References then In-Reply-To
};

/// Never fails: a message that cannot be parsed has few fields. `delivery` is its first.
Summary summarise(std::string_view message, const Delivery& delivery);

}  // namespace arch
