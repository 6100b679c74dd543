// The data files of poppler (poppler-data: which letters the fonts of East Asia mean), mapped before the sandbox is entered and given to
// poppler afterwards as if they were opened.
#pragma once

namespace arch::extract_worker {

/// Maps every file below poppler's directory. Where poppler-data is missing, PDFs with such fonts that are not embedded stay unread.
void map_data_files();
/// From here on fopen() knows the mapped files and nothing else.
void serve_data_files_only();

}  // namespace arch::extract_worker
