// Where a message is cut, and what each piece is: pure, from the part tree's byte ranges. A wrong range costs bytes, never
// correctness: a base64 piece counts only when re-encoding it gave its very bytes.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/format/segment.h"
#include "engine/mime/message.h"
#include "engine/pack/packer.h"

namespace arch::pack {

/// A piece of the message that does not stay in the skeleton as it stands. Pieces are in order and do not overlap.
struct Piece {
  uint64_t begin = 0, end = 0;  ///< in the message
  bool encoded = false;         ///< base64: stored decoded
  segment_format::Base64Form form;
  bool inlined = false;  ///< its decoded bytes stay in the skeleton stream
  Digest digest;         ///< of the stored form; not set when inlined
  uint64_t stored_size = 0;
  std::string kind;  ///< media type, file name's ending and letters: what is alike sorts together
};

std::vector<Piece> find_pieces(std::string_view message, const mime::Message& parsed, const PackOptions& options);

/// The stored form of a piece; nothing when these are not the bytes that the piece was found in.
std::optional<std::string> stored_form(std::string_view message, const Piece& piece);

/// The skeleton stream's bytes of a message, and whether CR LF was folded to LF in them. `steps` gets the recipe, with blob
/// steps' values left 0 for the caller, in the order of the pieces that are not inlined; empty when the skeleton is all.
/// Nothing when these are not the bytes that the pieces were found in.
std::optional<std::string> make_skeleton(std::string_view message, const std::vector<Piece>& pieces, bool* crlf,
                                         std::vector<segment_format::Step>* steps);

/// Equal for the mails of one thread, as far as one mail can tell: hash of the first of References or In-Reply-To, else the own
/// Message-ID, else the subject without reply marks.
uint64_t thread_key(const mime::Message& parsed);

/// Whose mail it is: hashes of the List-Id and of the sender's domain. Headers, signatures and templates of one house are
/// alike, so threads that such a mail began lie together.
struct House {
  uint64_t list = 0, domain = 0;
  auto operator<=>(const House&) const = default;
};
House house_of(const mime::Message& parsed);

}  // namespace arch::pack
