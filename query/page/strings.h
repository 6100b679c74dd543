// Every word that the page says of itself, in each language. A language that lacks one does not compile
// (-Wmissing-field-initializers); templates name them as {{t.name}} (page_test checks that each name is one of these).
#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace arch::page {

// clang-format off
#define ARCH_PAGE_STRINGS(X)                                                                                      \
  X(lang) X(title) X(skip) X(search) X(search_label) X(search_hint) X(capacity) X(status) X(other_lang)           \
  X(other_lang_code) X(more_ways) X(from) X(to) X(subject) X(words) X(after) X(before) X(attachments)             \
  X(with_attachment) X(direction) X(any) X(incoming) X(outgoing) X(internal) X(unknown) X(operators)              \
  X(operator_) X(meaning) X(example) X(understood) X(remove) X(results) X(one_mail) X(many_mails) X(no_mail)      \
  X(no_mail_advice) X(newest) X(oldest) X(sort) X(next) X(previous) X(page) X(no_subject) X(no_sender)            \
  X(copies) X(index_complete) X(index_to) X(index_behind) X(index_pending) X(index_unread) X(index_partial)       \
  X(index_none) X(at_least) X(error) X(error_advice) X(not_found) X(not_found_advice) X(message) X(date)          \
  X(received) X(captured) X(cc) X(bcc) X(also_to) X(by_envelope) X(size) X(thread) X(thread_advice) X(download)   \
  X(source) X(text) X(html) X(html_advice) X(links) X(remote_blocked) X(all_headers) X(deliveries)                \
  X(delivery_how) X(delivery_from) X(delivery_to) X(queue_id) X(client) X(login) X(variants) X(same_text)         \
  X(other_text) X(only_here) X(only_there) X(attachment) X(type) X(back) X(no_text) X(cut) X(used) X(of_cap)      \
  X(what_fills) X(segments) X(journal) X(catalog) X(index) X(other) X(received_bytes) X(compared)         \
  X(cap_reached) X(per_month) X(month) X(mails) X(healthy)     \
  X(alarms) X(messages) X(deliveries_count) X(newest_mail) X(rebuilding) X(own_domains) X(no_own_domains)         \
  X(two_ways) X(encrypted) X(bounce) X(partial) X(people) X(months) X(types) X(narrow) X(export_all)              \
  X(export_as) X(export_done) X(who) X(notice) X(did_you_mean) X(today) X(yesterday) X(list)         \
  X(preview_of) X(direct)  \
  X(pending_bytes) X(relevance) X(saved) X(select) X(senders) X(export_whole) X(export_selected) X(export_format)   \
  X(format_zip) X(format_mbox) X(format_jsonl) X(reason) X(export_running) X(export_failed) X(export_kept)          \
  X(read_text) X(no_part_text) X(thread_missing) X(thread_cut) X(proof) X(proof_missing) X(proof_failed) X(canary)  \
  X(canary_failed) X(verified) X(never) X(good) X(people_of_thread) X(facets_soon) X(came_since) X(nothing_selected) X(download_file) \
  X(forecast) X(no_history) X(reached_col) X(earliest) X(likely) X(latest) X(beyond) X(a_month)                   \
  X(more_each_year) X(disks_end) X(add_room) X(not_stored) X(mails_again) X(parts_again) X(compression)           \
  X(content) X(mailbox) X(domain) X(last_year) X(volume) X(room_free) X(reserve) X(missing) X(kind_text)          \
  X(kind_images) X(kind_pdf) X(kind_office) X(kind_archives) X(kind_other) X(mailbox_note) X(imported) X(share)   \
  X(history_days) X(done) \
  X(read_waiting) X(read_no_text) X(read_encrypted) X(read_broken) X(read_over_limit) X(read_unknown) X(read_crashed) X(read_ocr) X(read_members)
// clang-format on

struct Strings {
#define ARCH_PAGE_MEMBER(name) std::string_view name;
  ARCH_PAGE_STRINGS(ARCH_PAGE_MEMBER)
#undef ARCH_PAGE_MEMBER
};

extern const Strings kFrench;
extern const Strings kEnglish;

/// Name and value of each.
std::vector<std::pair<std::string_view, std::string_view>> all(const Strings& strings);

/// What an operator of the query language finds; query::fields() says it in English. Empty: no such operator.
std::string_view french_meaning(std::string_view field);

/// By `?lang=`, else a cookie's value, else Accept-Language (RFC 9110 section 12.5.4); French when none says otherwise.
const Strings& choose(std::string_view asked, std::string_view cookie, std::string_view accept_language);

}  // namespace arch::page
