// The one table of operators: feeds the parser, help, the manual and the assistant's schema.
#include "query/language/query.h"

namespace arch::query {

const std::vector<FieldInfo>& fields() {
  static const std::vector<FieldInfo> table = {
      {"from",
       {"de"},
       "name or address of the sender; a@b.c is an address, @b.c a domain and what is below it",
       "from:@client.example"},
      {"to", {"à", "pour"}, "name or address in To", "to:paul@maison.example"},
      {"cc", {"copie"}, "name or address in Cc", "cc:compta"},
      {"bcc", {"cci"}, "recipients that neither To nor Cc names, and Bcc", "bcc:direction@maison.example"},
      {"rcpt", {"dest"}, "any recipient: To, Cc, Bcc, envelope", "rcpt:commandes@maison.example"},
      {"subject", {"objet", "sujet"}, "words of the subject", "subject:(contrat OR avenant)"},
      {"body", {"corps"}, "words of the text, quoted words too", "body:échéance"},
      {"attachment", {"pj"}, "words inside an attachment", "attachment:usufruit"},
      {"filename", {"fichier"}, "words of an attachment's name", "filename:tarif"},
      {"has", {}, "attachment", "has:attachment"},
      {"is", {}, "partial, unread (an attachment's text is not read) or encrypted", "is:unread"},
      {"date", {}, "when it was sent: a year, month, day or a..b", "date:2024-03..2024-06"},
      {"after", {"depuis"}, "sent on or after the first day of this", "after:15/03/2024"},
      {"before", {"avant"}, "sent before the first day of this", "before:2024"},
      {"id", {}, "Message-ID, with or without <>", "id:abc@maison.example"},
      {"hash", {}, "id of a message in this archive, 8 digits or more", "hash:3f2a9c0d"},
      {"thread", {"fil"}, "the thread of a message, by its id in this archive or its Message-ID", "thread:3f2a9c0d"},
  };
  return table;
}

}  // namespace arch::query
