// Numbers of Windows code pages to names that mime::to_utf8() knows. Internal to query/document.
#pragma once

#include <string>

namespace arch::document::internal {

inline std::string codepage_name(unsigned number) {
  switch (number) {
    case 0:
    case 20127:
      return "windows-1252";
    case 932:
      return "windows-31j";
    case 936:
    case 54936:
      return "gb18030";
    case 949:
      return "windows-949";
    case 950:
      return "big5";
    case 1200:
      return "utf-16le";
    case 1201:
      return "utf-16be";
    case 10000:
    case 32768:
      return "macintosh";
    case 20866:
      return "koi8-r";
    case 21866:
      return "koi8-u";
    case 32769:
      return "windows-1252";
    case 50220:
    case 50221:
    case 50222:
      return "iso-2022-jp";
    case 51932:
      return "euc-jp";
    case 65000:
      return "utf-7";
    case 65001:
      return "utf-8";
    default:
      break;
  }
  if (number == 874 || (number >= 1250 && number <= 1258)) return "windows-" + std::to_string(number);
  if (number > 28590 && number <= 28605) return "iso-8859-" + std::to_string(number - 28590);
  if (number >= 437 && number <= 869) return "ibm" + std::to_string(number);
  return "windows-1252";
}

}  // namespace arch::document::internal
