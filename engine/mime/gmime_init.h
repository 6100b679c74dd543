// GMime wants one call before all others; every user of it in this folder makes it through here. Internal.
#pragma once

namespace arch::mime::internal {
void init_gmime();  ///< any thread, any number of times
}
