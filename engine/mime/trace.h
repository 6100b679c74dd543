// What mail servers put on top of a message on its way: two copies of one mail that were taken at different points differ in
// it, and it names the queue in which a copy waited.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace arch::mime {

/// Equal for two copies of one mail that were taken at two points of one mail server, however they were handed over. XXH3-64
/// over the message with line ends normalised, without the fields Return-Path, Delivered-To, X-Original-To and
/// X-Piler-Envelope-To and the Received fields of `mta_host` on top of it, without blanks between a field's name and its
/// colon, and without one last line end. `mta_host` is compared without case.
uint64_t core_key(std::string_view message, std::string_view mta_host);

/// Postfix's queue id in the topmost Received field when `mta_host` wrote it there, or, with `mta_host` empty, when it is a
/// local submission ("from userid"): the only place where a copy that came without XFORWARD tells it. Empty when there is none.
std::string queue_id_of(std::string_view message, std::string_view mta_host);

}  // namespace arch::mime
