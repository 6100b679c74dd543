// One atomic step of apply(), shared by apply.cc and adopt.cc.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/accounts.h"
#include "engine/archive_state.h"
#include "engine/threads.h"

namespace arch {

constexpr uint64_t kBatchDeliveries = 1'000;    // of one step
constexpr UnixNs kQueueIdLife = 7 * kNsPerDay;  // between two copies of one mail
constexpr size_t kQueueIdUses = 100;            // of one queue id that are looked at

using Progress = std::function<void(const ApplyStats&)>;

inline void add_to(ApplyStats* total, const ApplyStats& step) {
  total->deliveries += step.deliveries;
  total->messages += step.messages;
  total->bytes += step.bytes;
}

// Rows of new deliveries, and what later ones in the same step must already see.
class Archive::State::Step {
 public:
  explicit Step(Archive::State& state)
      : state_(state),
        totals_(state.totals),
        catalog_(state.catalog.get()),
        threads_(*catalog_, batch, [&state](uint64_t number) { return state.info(number); }) {}

  /// `sequence` 0: the next one. `bytes` are needed only when the message is new.
  Result<uint64_t> add(uint64_t sequence, const Delivery& delivery, uint64_t size, const rows::Place& place,
                       const std::function<Result<Summary>()>& summary) {
    if (sequence == 0) sequence = totals_.last_sequence + 1;
    totals_.last_sequence = std::max(totals_.last_sequence, sequence);
    ARCH_TRY(std::optional<uint64_t> known, find(delivery.digest));
    const int64_t day = floor_day(delivery.captured);
    ARCH_TRY(ArchiveUsage::Day * usage, day_row(day));
    std::string queue_id = delivery.channel == Channel::kImport ? std::string() : delivery.queue_id;
    if (!known) {
      const uint64_t number = ++totals_.last_message;
      ARCH_TRY(Summary made, summary());
      MessageInfo& info = made.info;
      info.number = number;
      info.digest = delivery.digest;
      info.size = size;
      info.captured = delivery.captured;
      queue_id = made.queue_id;
      if (!queue_id.empty()) ARCH_TRY_VOID(join(&info, made));
      ARCH_TRY(info.thread, threads_.place(info, made.references));
      batch.put(Column::kDigest, delivery.digest.view(), varint(number));
      batch.put(Column::kMessage, be64(number), rows::encode_message(info, sequence));
      batch.put(Column::kPlace, be64(number), rows::encode_place(place));
      const std::string id_key =
          info.message_id.empty() ? mail_key_key(info.mail_key) : message_id_key(info.message_id);
      batch.put(Column::kMessageId, id_key + be64(number), {});
      if (!queue_id.empty()) fresh_.emplace(number, Fresh{info, made.content});
      numbers_.emplace(delivery.digest, number);
      known = number;
      totals_.message_bytes += size;
      usage->new_bytes += size;
      if (delivery.channel == Channel::kImport) usage->imported_bytes += size;
      accounts_.add(delivery, info, true, *state_.own_domains);
      added_.emplace(number, std::move(info));
      ++stats.messages;
    } else {
      ARCH_TRY(MessageInfo info, info_of(*known));
      accounts_.add(delivery, info, false, *state_.own_domains);
      batch.put(Column::kAgain, be64(*known) + be64(sequence), {});
    }
    batch.put(Column::kDelivery, be64(sequence), rows::encode_delivery_row(*known, delivery));
    if (!queue_id.empty()) {
      batch.put(Column::kQueue, queue_key(queue_id) + be64(sequence), {});
      queued_.emplace(queue_id, *known);
    }
    if (delivery.channel == Channel::kImport)
      batch.put(Column::kImport, import_key(delivery.digest, delivery.origin), {});
    totals_.received_bytes += size;
    totals_.applied_to = std::max(totals_.applied_to, delivery.captured);
    ++usage->deliveries;
    usage->bytes += size;
    ++stats.deliveries;
    stats.bytes += size;
    return sequence;
  }

  Result<std::optional<uint64_t>> find(const Digest& digest) {
    auto found = numbers_.find(digest);
    if (found != numbers_.end()) return std::optional<uint64_t>(found->second);
    return state_.find(digest);
  }

  /// Of a message that find() knows.
  Result<uint64_t> size_of(uint64_t number) {
    ARCH_TRY(MessageInfo known, info_of(number));
    return known.size;
  }

  Result<void> write() {
    for (const auto& [day, usage] : days_) batch.put(Column::kUsage, usage_key(day), encode_usage_day(usage));
    ARCH_TRY_VOID(accounts_.write(
        [this](const std::string& key) -> Result<std::string> {
          ARCH_TRY(auto value, state_.catalog->get(Column::kUsage, key));
          return value.value_or(std::string());
        },
        [this](const std::string& key, const std::string& value) { batch.put(Column::kUsage, key, value); }));
    batch.put(Column::kMeta, kMetaTotals, rows::encode_totals(totals_));
    ARCH_TRY_VOID(state_.catalog->write(std::move(batch), false));
    state_.totals = totals_;
    return {};
  }

  CatalogBatch batch;
  ApplyStats stats;

 private:
  static std::string varint(uint64_t value) {
    ByteWriter out;
    out.varint(value);
    return out.take();
  }
  static int64_t floor_day(UnixNs time) {
    return time >= 0 ? time / kNsPerDay : -((-time + kNsPerDay - 1) / kNsPerDay);
  }

  Result<ArchiveUsage::Day*> day_row(int64_t day) {
    auto found = days_.find(day);
    if (found != days_.end()) return &found->second;
    ARCH_TRY(auto value, state_.catalog->get(Column::kUsage, usage_key(day)));
    return &(days_[day] = value ? decode_usage_day(*value) : ArchiveUsage::Day{});
  }

  /// Of a message that find() knows; without its deliveries when this step brought it.
  Result<MessageInfo> info_of(uint64_t number) {
    auto added = added_.find(number);
    if (added != added_.end()) return added->second;
    return state_.info(number);
  }

  struct Fresh {
    MessageInfo info;
    uint64_t content = 0;  // Summary::content; 0: not known yet
  };

  // Postfix reuses a queue id within days, by chance: what else names the mail has to agree.
  static bool may_be_one_mail(const MessageInfo& a, const MessageInfo& b) {
    const UnixNs apart = a.captured > b.captured ? a.captured - b.captured : b.captured - a.captured;
    if (apart > kQueueIdLife) return false;
    if (!a.message_id.empty() || !b.message_id.empty()) return a.message_id == b.message_id;
    return a.from == b.from && a.subject == b.subject && a.sent == b.sent;
  }

  /// A message that came with a queue id, in this step or before.
  Result<std::optional<Fresh>> queued_message(uint64_t number) {
    auto fresh = fresh_.find(number);
    if (fresh != fresh_.end()) return std::optional<Fresh>(fresh->second);
    // One that came first in this very step, and without a queue id, has no row yet; a copy meets it by its mail key.
    if (number > state_.totals.last_message) return std::optional<Fresh>();
    ARCH_TRY(MessageInfo info, state_.info(number));
    return std::optional<Fresh>(Fresh{std::move(info), 0});
  }

  /// Numbers of the messages that came with this queue id: those of this step, then the older ones.
  Result<std::vector<uint64_t>> with_queue_id(const std::string& queue_id) {
    std::vector<uint64_t> numbers;
    for (auto [each, last] = queued_.equal_range(queue_id); each != last; ++each) numbers.push_back(each->second);
    std::vector<uint64_t> sequences;
    const std::string key = queue_key(queue_id);
    ARCH_TRY_VOID(state_.catalog->scan(Column::kQueue, key, key, [&](std::string_view row, std::string_view) {
      sequences.push_back(from_be64(row.substr(8)));
      return sequences.size() < kQueueIdUses;
    }));
    for (uint64_t sequence : sequences) {
      ARCH_TRY(auto row, state_.catalog->get(Column::kDelivery, be64(sequence)));
      if (!row) continue;
      ARCH_TRY(DeliveryInfo delivery, rows::decode_delivery_row(*row, sequence));
      numbers.push_back(delivery.message);
    }
    return numbers;
  }

  // A copy of the mail that came another way from the same queue: both are kept, and are one mail in every answer.
  Result<void> join(MessageInfo* info, const Summary& made) {
    ARCH_TRY(std::vector<uint64_t> numbers, with_queue_id(made.queue_id));
    for (uint64_t number : numbers) {
      ARCH_TRY(std::optional<Fresh> partner, queued_message(number));
      if (!partner || !may_be_one_mail(partner->info, *info)) continue;
      bool same = partner->info.mail_key == info->mail_key;
      // Without a Message-ID the keys differ by trace fields already; with one, they differ when the content does.
      if (!same && info->message_id.empty()) {
        if (partner->content == 0) {
          auto bytes = state_.message(number, partner->info.digest, nullptr);
          if (bytes)
            partner->content = mime::content_key(*bytes, mime::parse_fields(*bytes));  // else: joined as differing
        }
        same = partner->content == made.content;
      }
      info->mail_key = partner->info.mail_key;
      ++(same ? totals_.joined_same : totals_.joined_differing);
      return {};
    }
    return {};
  }

  Archive::State& state_;
  rows::Totals totals_;
  std::shared_ptr<Catalog> catalog_;
  ThreadStep threads_;
  std::unordered_map<Digest, uint64_t, DigestHash> numbers_;
  std::unordered_map<uint64_t, MessageInfo> added_;  // messages of this step
  std::unordered_multimap<std::string, uint64_t> queued_;  // queue id -> message, of this step
  std::unordered_map<uint64_t, Fresh> fresh_;  // messages of this step whose first delivery had a queue id
  std::map<int64_t, ArchiveUsage::Day> days_;
  AccountRows accounts_;
};

}  // namespace arch
