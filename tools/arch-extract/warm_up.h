// Makes every library open now what it will want later. Internal to tools/arch-extract.
#pragma once

namespace arch::extract_worker {

void warm_up();

}  // namespace arch::extract_worker
