/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * From now on the program ends if nobody reads its standard output any more, such as in a pipe to `head -1`. A write
 * would notice that, but who follows may have nothing to write for hours.
 */
void output_end_with_reader(void);
