// What the catalog keeps of a message's content: made from its bytes by the same code in normal work and in a rebuild.
#pragma once

#include <string_view>

#include "engine/archive.h"

namespace arch {

struct Summary {
  MessageInfo info;                     ///< number, digest, size, thread and deliveries are left to the caller
  std::vector<std::string> references;  ///< References then In-Reply-To
  std::string queue_id;  ///< of the mail server; the delivery's, else where its Received field tells it
  uint64_t content = 0;  ///< mime::content_key, when there is a queue id and no Message-ID to tell mails apart
};

/// Never fails: a message that cannot be parsed has few fields. `delivery` is its first.
Summary summarise(std::string_view message, const Delivery& delivery, const OwnDomains& own);

}  // namespace arch
