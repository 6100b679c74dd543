// Work that nobody waits for gives way to work that somebody does.
#pragma once

namespace arch {

/// The calling thread, and what it starts, gets what others leave of the processor, and is taken off it at once when one of them wakes up. A
/// niced one would keep it until its slice of some milliseconds is over, which is as long as an answer takes: beside such readers 5 % of
/// searches took 1.2 to 1.5 times as long, beside these 1.1. The price: on a machine that others keep busy it gets a few thousandths, and who
/// waits for a lock that it holds, or for its end, waits with it.
void give_way();

}  // namespace arch
