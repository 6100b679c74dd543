#include "query/extract/smime.h"

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include <climits>
#include <memory>

namespace arch::extract::internal {

std::optional<std::string> signed_content(std::string_view der) {
  if (der.empty() || der.size() > INT_MAX) return std::nullopt;
  std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_mem_buf(der.data(), static_cast<int>(der.size())), BIO_free);
  if (!in) return std::nullopt;
  // OpenSSL 3.0 bounds the nesting of ASN.1 by itself (30 levels).
  std::unique_ptr<CMS_ContentInfo, void (*)(CMS_ContentInfo*)> cms(d2i_CMS_bio(in.get(), nullptr),
                                                                   CMS_ContentInfo_free);
  ERR_clear_error();
  if (!cms || OBJ_obj2nid(CMS_get0_type(cms.get())) != NID_pkcs7_signed) return std::nullopt;
  ASN1_OCTET_STRING** content = CMS_get0_content(cms.get());
  if (content == nullptr || *content == nullptr) return std::nullopt;
  const int length = ASN1_STRING_length(*content);
  if (length <= 0) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(*content)), static_cast<size_t>(length));
}

}  // namespace arch::extract::internal
