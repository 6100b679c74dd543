// What the readers of the formats share: one document's budget and the way to its members. Internal to query/document.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "query/document/document.h"

namespace arch::document::internal {

/// The version of the readers in this folder: raise it when the text they give changes.
inline constexpr std::string_view kReadersVersion = "1";

/// What one document and all its members may still use. One thread.
class Budget {
 public:
  Budget(const Limits& limits, uint64_t document_bytes);

  bool time_over() const;
  /// Takes `bytes` of unpacked content; false when they are more than there are.
  bool expand(uint64_t bytes);
  uint64_t expansion_left() const { return expansion_left_; }
  uint64_t text_left() const { return text_left_; }
  void take_text(uint64_t bytes) { text_left_ -= bytes < text_left_ ? bytes : text_left_; }
  const Limits& limits() const { return limits_; }

 private:
  const Limits& limits_;
  std::chrono::nanoseconds end_;  ///< on the thread's processor clock
  uint64_t expansion_left_, text_left_;
};

/// One file being read, the document itself or a member. Readers append to it and report; they hold no state elsewhere.
class File {
 public:
  File(Budget& budget, std::vector<Member>& members, std::string_view content, Hint declared, uint32_t level,
       std::string name)
      : bytes(content),
        hint(std::move(declared)),
        depth(level),
        path(std::move(name)),
        budget_(budget),
        members_(members) {}

  const std::string_view bytes;
  const Hint hint;
  const uint32_t depth;
  const std::string path;  ///< "" for the document itself

  std::string media_type, tool = "arch", version{kReadersVersion};
  std::string text, why;
  Status status = Status::kRead;
  bool for_ocr = false;  ///< as in DocumentText; of members nobody asks

  /// Appends text as long as there is room; false (and kOverLimit) when there is none. Invalid UTF-8 is repaired at the end.
  bool add(std::string_view more);
  /// Ends the line unless it is ended.
  void end_line();
  /// Reports; an earlier report that says more stays.
  void fail(Status with, std::string because);
  /// False (and kOverLimit) when the time is over: a reader's loop ends.
  bool go_on();
  Budget& budget() { return budget_; }

  /// Reads a member that lies in memory. `bytes` are counted as expansion unless `counted` says they were already.
  void member(std::string_view name, const Hint& hint, std::string_view bytes, bool counted = false);
  /// The same with a reader of the caller's choice, for a member that has no bytes of its own (a storage).
  void member_by(std::string_view name, const Hint& hint, const std::function<void(File&)>& read);
  /// Lists a member that is not read.
  void list(std::string_view name, std::string_view media_type, Status status, std::string why);
  bool room_for_members();

 private:
  void read_member(std::string_view name, const Hint& hint, std::string_view bytes,
                   const std::function<void(File&)>& read);

  Budget& budget_;
  std::vector<Member>& members_;
};

// ── the formats; each reads `file.bytes` ──
void read_pdf(File& file);
void read_picture(File& file);  ///< its size alone
void read_archive(File& file);  ///< zip, 7z, tar, and single files under gzip, bzip2, xz, zstd
void read_ooxml(File& file);    ///< docx, xlsx, pptx and their templates and macro forms
void read_odf(File& file);      ///< odt, ods, odp … as a zip
void read_flat_odf(File& file);
void read_rtf(File& file);
void read_plain(File& file);
void read_calendar(File& file);  ///< ICS and VCF
void read_html(File& file);
void read_xml(File& file);
void read_mail(File& file);   ///< EML, MHTML, Apple's emlx
void read_smime(File& file);  ///< p7m
void read_ole(File& file);    ///< doc, xls, ppt, msg, encrypted OOXML, embedded objects
void read_biff(File& file);   ///< Excel without the OLE container
void read_tnef(File& file);   ///< winmail.dat

/// The format of a zip that is more than a zip; empty media type when it is none.
struct ZipKind {
  enum Kind : uint8_t { kPlain, kOoxml, kOdf } kind = kPlain;
  std::string media_type;
};
ZipKind zip_kind(std::string_view bytes);

/// Goes through a zip: `wanted` says for which names the content is asked; `got` receives it, whole. Bounded by the budget.
/// False when the archive ended in an error (reported in `file`).
bool each_zip_entry(File& file, const std::function<bool(const std::string& name)>& wanted,
                    const std::function<void(const std::string& name, std::string_view content)>& got);
/// The same with the content in pieces as they are unpacked, so that a large sheet takes no memory. `piece` gets an empty piece at
/// the end of each entry, and returns false when it wants no more of it.
bool stream_zip_entries(File& file, const std::function<bool(const std::string& name)>& wanted,
                        const std::function<bool(const std::string& name, std::string_view piece)>& piece);
std::string archive_version();
std::string pdf_version();

void read_text_as_rtf(File& file, std::string_view rtf);
/// Any bytes as text: byte order mark, declaration, or a guess.
std::string decode_text(std::string_view bytes, std::string_view charset);
/// The same for a page, which may say its charset itself.
std::string decode_html(std::string_view bytes, std::string_view charset);
bool looks_binary(std::string_view bytes);

}  // namespace arch::document::internal
